// Package backup writes a whole store into one file, and makes a store of such a file.
//
// [Write] takes a checkpoint of a store that is in use. [Check] reads a backup and compares
// its digests, [Restore] makes a folder of it that [storage.Open] opens, and [Verify] does
// that in a folder of its own, which it removes again.
//
// # The file
//
// A backup is a tar archive (POSIX ustar, not compressed: vectors do not compress):
//
//	rollcall-backup.json          the Manifest
//	rollcall-backup.json.sha256   its SHA-256, as sha256sum writes it
//	000012.sst, acknowledged, …   the files of the folder, in the order of the manifest
//
// The manifest says how large each file is, and its SHA-256. So a file that is cut off or
// damaged is refused. Nobody signs a backup: who can write to it can write another one.
//
// If the store is sealed, so is what it holds in the backup, and the same key opens it.
// The ids of students and crops stay readable in either.
package backup
