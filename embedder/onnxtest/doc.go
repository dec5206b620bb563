// Package onnxtest is test support: small ONNX models, the faces that they tell apart, and a reference
// answer that does not use ONNX Runtime. It is a package and not a _test file because the tests of several
// packages start a whole server on its models. Nothing outside tests may import it.
//
// Models: [ArcFace], [SFace] and [FaceNet] have the input of the networks that they are named after, and
// files of less than 2 MiB. [Points] and [YuNet] are locators. [Model.Reference] computes an embedding in
// plain Go and float64. [Faulty] models break their contract. [Install] puts models into a models folder.
// [Like] is a model for any contract, and [NewWindow] one that shows what its input holds. A [Mirror]
// serves such files in place of the makers of the catalogue's models.
//
// Pictures: [Face] draws a person. The same seed is the same person, a little moved and in another light,
// and the embedders above give it a similar embedding. [Blank] holds no face.
//
//	dir := t.TempDir()
//	onnxtest.Install(t, dir, onnxtest.ArcFace(1), onnxtest.Points())
//	crop := onnxtest.Face(7, 0)
//
// Everything here is a function of its arguments: the same bytes on every run and machine. All
// functions are safe for concurrent use.
package onnxtest
