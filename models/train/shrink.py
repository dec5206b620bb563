"""Makes a trained wide Embedder smaller: of each stage's inner channels those stay that the others can best be told from,
and what is left answers, as near as least squares bring it, as the whole did (as in He et al. 2017, Channel Pruning)."""

import torch
import torch.nn.functional as F

from networks import Embedder

SAMPLES = 60_000  # places in the pictures that a layer is fitted to
BATCH = 100


@torch.no_grad()
def shrink(wide, pictures, log=print):
    """The small network nearest to wide, on pictures [n,3,112,112]."""
    torch.manual_seed(6)
    net = Embedder(wide.head.out_features)
    smaller_stem(wide.stem, net.stem, pictures)
    x = torch.cat([net.begin(p) for p in pictures.split(BATCH)])
    for at, (name, old, new) in enumerate(zip(net.BLOCKS, wide.stages, net.stages)):
        if new.first.out_channels < old.first.out_channels:
            new.past = old.past
            share = fewer_channels(old, new, x)
            log(f"shrink: {name}, {new.first.out_channels} of {old.first.out_channels} channels give {share:.1%}")
        else:
            net.stages[at] = old
        x = torch.cat([net.stages[at](part) for part in x.split(BATCH)])
    net.head = wide.head
    return net


def smaller_stem(old, new, pictures):
    """Gives new the filters that come nearest to old's, which are two pixels larger."""
    size, margin = old.kernel_size[0], (old.kernel_size[0] - new.kernel_size[0]) // 2
    seen = places(pictures, size, 2, 0)
    wanted = seen @ old.weight.flatten(1).T
    middle = seen.view(-1, 3, size, size)[:, :, margin:-margin, margin:-margin].flatten(1)
    gram, cross = moments(middle, wanted)
    solved = torch.linalg.solve(gram, cross)
    new.weight.copy_(solved[:-1].T.view_as(new.weight))
    new.bias.copy_(old.bias + solved[-1])


def fewer_channels(old, new, x):
    """Fills the stage new from old, whose inputs are x. Returns the share of the variance of the second convolution's
    answers that is kept."""
    inner, kept = old.first.out_channels, list(range(old.first.out_channels))
    seen = torch.cat([places(old.within(part), 3, 1, 1, SAMPLES // len(x) + 1) for part in x.split(BATCH)])
    wanted = seen @ old.second.weight.flatten(1).T
    gram, cross = moments(seen, wanted)
    rows = lambda: torch.cat([torch.arange(9 * c, 9 * c + 9) for c in kept] + [torch.tensor([9 * inner])])
    while len(kept) > new.first.out_channels:
        i = rows()
        inverse = torch.linalg.inv(gram[i][:, i])
        solved = inverse @ cross[i]
        # By how much the squared error grows without a channel: as an optimal brain surgeon (Hassibi and Stork 1993) has
        # it, nine weights at a time.
        loss = [float((w * torch.linalg.solve(h, w)).sum()) for w, h in
                ((solved[at:at + 9], inverse[at:at + 9, at:at + 9]) for at in range(0, 9 * len(kept), 9))]
        least = sorted(range(len(kept)), key=loss.__getitem__)[:min(len(kept) - new.first.out_channels, inner // 16)]
        kept = [c for at, c in enumerate(kept) if at not in least]
    i = rows()
    solved = torch.linalg.solve(gram[i][:, i], cross[i])
    new.first.weight.copy_(old.first.weight[kept])
    new.first.bias.copy_(old.first.bias[kept])
    new.second.weight.copy_(solved[:-1].T.reshape(new.second.weight.shape))
    new.second.bias.copy_(old.second.bias + solved[-1])
    off = torch.cat([seen, torch.ones(len(seen), 1)], 1)[:, i] @ solved - wanted
    return 1 - float(off.pow(2).sum() / (wanted - wanted.mean(0)).pow(2).sum())


def places(x, size, stride, padding, each=400):
    """What filters of that size see in each of so many random places of every x: [places, channels * size * size]."""
    out = []
    for part in x.split(BATCH):
        seen = F.unfold(part, size, padding=padding, stride=stride).transpose(1, 2)
        out.append(seen[:, torch.randperm(seen.shape[1])[:each]].flatten(0, 1))
    return torch.cat(out)


def moments(seen, wanted, ridge=1e-4):
    """The sums that least squares need, a constant added to what is seen."""
    seen = torch.cat([seen, torch.ones(len(seen), 1)], 1)
    gram = seen.T @ seen
    return gram + ridge * gram.diagonal().mean() * torch.eye(len(gram)), seen.T @ wanted
