// Package models is the catalogue: which models Rollcall knows, what each needs as input, and which of them
// are installed.
//
// A model is an ONNX file with its [Contract], locked by the SHA-256 of the file. Contracts come from three
// places: the catalogue that is part of the program (folder catalogue), models that are built into the
// program with their files (folder builtin), and the user's own contracts, read by [ParseContract].
//
// Start with [OpenLibrary]. [Library.Model] and [Library.Default] find an installed model, and [Model.Read]
// returns its file after verifying the digest. [Library.Pull] downloads a model of the catalogue,
// [Library.Add] installs a file that the user has.
//
// The package knows files and contracts. It does not run models: a caller that installs a model passes a
// [CheckFunc] that runs it.
package models
