// Package models is the catalogue: which models Rollcall knows, what is needed to feed each of them,
// and which of them are installed.
//
// A model is an ONNX file with its [Contract], locked by the SHA-256 of the file. Contracts come from
// three places: the catalogue that is part of the program (folder catalogue), models that are built
// into the program with their files (folder builtin), and contracts that the user brings along, read
// by [ParseContract].
//
// Start with [OpenLibrary]. [Library.Model] and [Library.Default] find an installed model, whose file
// [Model.Read] returns after verifying its digest. [Library.Pull] downloads a model of the catalogue,
// [Library.Add] installs a file that the user has.
//
// The package knows files and contracts. It does not run models: who installs one hands in a
// [CheckFunc] that does.
package models
