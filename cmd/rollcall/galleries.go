package main

import (
	"context"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func galleriesCommand() command {
	return command{
		name:  "galleries",
		short: "list, make and delete galleries",
		long: `A gallery is one school's enrolled crops. A server holds several, and a caller uses those
that its token is for. Every command that asks a server takes --gallery.`,
		children: []command{galleriesList(), galleriesCreate(), galleriesDelete()},
	}
}

func galleriesList() command {
	var o clientOptions
	return command{
		name:  "list",
		short: "list the galleries that you may use",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("galleries list takes no arguments")
			}
			if err := o.validate(); err != nil {
				return err
			}
			resp, err := o.galleries().ListGalleries(ctx, &pb.ListGalleriesRequest{})
			if err != nil {
				return callError(o.server, err)
			}
			if o.output.JSON() {
				return printMessage(c.out, resp)
			}
			for _, g := range resp.GetGalleries() {
				terminal.Printf(c.out, "%s\n", g.GetGalleryId())
			}
			return nil
		},
	}
}

func galleriesCreate() command {
	var o clientOptions
	return command{
		name:  "create",
		args:  "GALLERY",
		short: "make an empty gallery",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			return withOne(&o, args, "galleries create", "gallery", func(id string) (proto.Message, error) {
				resp, err := o.galleries().CreateGallery(ctx, &pb.CreateGalleryRequest{GalleryId: id})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				terminal.Printf(c.out, "%s made; name it with --gallery\n", resp.GetGallery().GetGalleryId())
				return nil, nil
			}, c)
		},
	}
}

func galleriesDelete() command {
	var o clientOptions
	var yes bool
	return command{
		name:  "delete",
		args:  "GALLERY",
		short: "erase a gallery with all its students and crops",
		long: `Erases a gallery: its students, crops, embeddings and settings, its log of changes and its
journal. Tokens for this gallery alone end with it.
Nothing brings it back but a backup.`,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&yes, "without-asking", false, "delete without asking")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			return withOne(&o, args, "galleries delete", "gallery", func(id string) (proto.Message, error) {
				if !yes {
					if err := confirmDeletion(ctx, c, id); err != nil {
						return nil, err
					}
				}
				resp, err := o.galleries().DeleteGallery(ctx, &pb.DeleteGalleryRequest{GalleryId: id})
				if err != nil || o.output.JSON() {
					return resp, err
				}
				terminal.Printf(c.out, "%s deleted, with everything in it\n", id)
				return nil, nil
			}, c)
		},
	}
}

// confirmDeletion asks a person, and fails unless the answer is yes.
func confirmDeletion(ctx context.Context, c console, id string) error {
	out, err := openTerminal(c)
	if err != nil {
		return usageError("galleries delete asks before it deletes, and %w: give --without-asking", err)
	}
	defer out.Close()
	yes, err := ask(ctx, c.in, out, terminal.Escape("Erase gallery "+id+" with everything in it?"))
	if err == nil && !yes {
		err = usageError("nothing was deleted")
	}
	return err
}
