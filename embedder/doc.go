// Package embedder turns the bytes of a crop into an embedding: it decodes, locates the face, aligns
// it, runs a model on it and normalises what comes out. It also finds the faces of photos.
//
// [Start] loads ONNX Runtime, once per process; package ortlib finds or installs the library. [New] makes
// an [Embedder] over the installed models, and [Embedder.Embed] embeds a crop:
//
//	library, err := embedder.Start(ctx, ortlib.Options{})
//	e, err := embedder.New(installed, embedder.Options{}) // installed is a *models.Library
//	defer e.Close()
//	result, err := e.Embed(ctx, embedder.Request{Image: crop})
//
// [Check] tries a model file before it is installed. The steps that do not need ONNX Runtime have packages
// of their own: picture decodes, align resamples, locate reads a locator's outputs.
// Package onnxtest builds small models, faces and photos for tests.
//
// # Locked sessions
//
// The tensors of a session are allocated once and guarded by one lock. The lock is held from filling the
// input to copying the output out. So no request allocates a tensor, no two goroutines touch the same
// tensor, and no tensor is freed during a run. Each model has [Options.Sessions] sessions, which share its
// weights. The same number of calls work at once, and only these decode. [Options.Queue] more calls wait
// until their context ends. Callers take turns, and the calls of one are served in their order (queue.go).
// The next call is told to come back later. A run itself is not interrupted.
//
// While one call works alone, each of its runs uses up to [Options.Threads] cores, and otherwise one
// (network.go). The results are the same, bit by bit.
//
// # Faces that do not stand upright
//
// A locator looks twice: at the whole crop, and at the upright square around what it found. Where it is not
// sure, it also sees the crop turned and stretched (view.go, search.go), and the view that it is surest of
// counts. Where the face fills the crop, the locator sees the crop with its edge repeated (tight.go). Where
// there is room beside the face, it looks for a second face (several.go). Landmarks from a request or from
// another locator are confirmed by a locator that looks twice (recheck.go). [Quality.Reasons] says what
// speaks against a crop.
//
// # Quality
//
// [Quality] is what was measured of a crop, and its Score foretells how far it can be trusted (score.go). The
// limits of what is usable, looser for probes than for crops that are stored, are in quality.go.
//
// # Photos
//
// [Embedder.Faces] finds the faces of a whole photo, with the landmarks and the quality of each, and
// [Embedder.EmbedFaces] embeds them too. [Request.Face] embeds one of them. A detector looks at overlapping tiles of the
// photo at several scales (tiles.go), a second one confirms each face (detect.go), the locator finds its
// landmarks (face.go). Photos have a queue of their own. They work in turns, in the places that crops leave
// free (turns.go).
//
// # Locked models
//
// A model is loaded when it is first needed, once for all callers. Its file is compared with the digest in
// its contract, and its inputs and outputs with the rest of the contract. In every session, its answer to a
// generated picture is compared with its answer when it was installed. A model is unloaded after it was
// idle for [Options.TTL], or to stay within [Options.MemoryBudget], but never while it is in use. The
// function trim describes how much memory unloading gives back.
//
// # Measurements
//
// 2 shared cores of an AMD EPYC, ONNX Runtime 1.24.3, one core for each run, November 2026;
// repeat them with "rollcall bench embed". A JPEG of 112 x 112 pixels through MobileFaceNet, one
// client: decoding 0.36 ms, aligning 0.2 ms, the run 7.4 ms, normalising and measuring the quality
// 0.12 ms; a locator YuNet at 320 x 320 adds 4.8 ms, of which its run is 4.0 ms and resampling to its
// input 0.3 ms.
//
// With 8 clients the embedder does 79 to 86 % as many crops a second as bare runs on all cores, and 75 to
// 80 % with the locator. Most of the difference is the work on pixels. Go's monitor thread took 4 to 6 %
// until it was slowed (slack.c).
//
// Running several crops as one batch gains nothing on a processor. MobileFaceNet takes 8.1 ms for each crop
// alone, 8.0 ms in batches of two, 7.9 ms of four and 8.3 ms of eight, and each crop would wait for the
// last one to arrive. So models with an open batch dimension run with a batch of 1.
package embedder
