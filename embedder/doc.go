// Package embedder turns the bytes of a crop into an embedding: it decodes, locates the face, aligns
// it, runs a model on it and normalises what comes out. It also finds the faces of photos.
//
// [Start] loads ONNX Runtime, once per process; package ortlib finds or installs the library. [New]
// makes an [Embedder] over the installed models, and [Embedder.Embed] is what it is for:
//
//	library, err := embedder.Start(ctx, ortlib.Options{})
//	e, err := embedder.New(installed, embedder.Options{}) // installed is a *models.Library
//	defer e.Close()
//	result, err := e.Embed(ctx, embedder.Request{Image: crop})
//
// [Check] tries a model file out before it is installed. The steps that need no ONNX Runtime have
// packages of their own: picture decodes, align resamples, locate reads a locator's outputs. Package
// onnxtest builds small models, faces and photos for tests.
//
// # Locked sessions
//
// A session of ONNX Runtime is allocated together with its tensors and guarded by one lock, which is
// held from filling the input to copying the output out: no tensor is made for a request, none is
// touched by two goroutines, and none is freed while it runs. Each model has [Options.Sessions] of
// them. As many calls as that work at once, and only they decode; [Options.Queue] more wait, in the
// order in which they came, until their context ends; the next is told to come back later. A run
// itself is not interrupted.
//
// # Faces that do not stand upright
//
// A locator looks twice: at the whole crop, and at the upright square around what it found. Where it is not
// sure, it is shown the crop turned and stretched (view.go, search.go), and what it is surest of counts. A
// crop that the face fills is shown with its edge repeated (tight.go); where there is room beside the face,
// a second one is looked for (several.go). What another locator found, or a request says, is confirmed by
// one that looks twice (recheck.go). What speaks against a crop stands in [Quality.Reasons].
//
// # Photos
//
// [Embedder.Faces] finds the faces of a whole photo, with the landmarks and the quality of each, and
// [Photo.Embed] embeds them without decoding the photo again. A detector looks at overlapping tiles of the
// photo at several scales (tiles.go), a second one confirms each face (detect.go), the locator finds its
// landmarks (face.go). Photos have a queue of their own and take the places that crops leave free, in
// turns (turns.go).
//
// # Locked models
//
// A model is loaded when it is first wanted, once for all who want it: its file is compared with the
// digest in its contract, its inputs and outputs with the rest of the contract, and its answer to a
// generated picture with the one that it gave when it was installed, in every session. It is unloaded
// when it was idle for [Options.TTL], or to keep to [Options.MemoryBudget], and never in use. What
// unloading gives back is described at the function trim.
//
// # Measurements
//
// 2 shared cores of an AMD EPYC, ONNX Runtime 1.24.3, one thread for each session, November 2026;
// repeat them with "rollcall bench embed". A JPEG of 112 x 112 pixels through MobileFaceNet, one
// client: decoding 0.36 ms, aligning 0.2 ms, the run 7.4 ms, normalising and measuring the quality
// 0.12 ms; a locator YuNet at 320 x 320 adds 4.8 ms, of which its run is 4.0 ms and resampling to its
// input 0.3 ms.
//
// With 8 clients the embedder makes 79 to 86 % of the crops a second that bare runs on all cores make,
// with the locator 75 to 80 %. Some of what is missing is the work on pixels. Beside it, a
// profile showed 6 % of the time in the kernel and 40 to 85 context switches a crop, where the bare
// loop has 7 to 16. Go's monitor thread, which polls while Go code runs, is the likely cause, but only
// a tenth of that time was seen under it. One place more than sessions did not help.
//
// Running several crops as one batch does not pay on a processor: MobileFaceNet takes 8.1 ms for each
// crop alone, 8.0 ms in batches of two, 7.9 ms of four and 8.3 ms of eight, and all but the last to
// arrive would wait. So models with an open batch dimension are run with a batch of 1.
package embedder
