package ortlib

// artifact is one way to get the library of one platform. Exactly one of
// librarySHA256 and archiveSHA256 is set.
type artifact struct {
	source source
	// os and arch in Go's names.
	os, arch string
	// name is what the source is asked for: a package with its version for npm and pip, a file for the
	// release.
	name string
	// tag is the platform tag of the wheel; pip only.
	tag string
	// member is the library's path inside the archive.
	member string
	// bytes to download, for the progress display.
	bytes int64
	// librarySHA256 is the digest of the member, in lower-case hex.
	librarySHA256 string
	// archiveSHA256 is the digest of the whole archive, in lower-case hex.
	archiveSHA256 string
}

// source says who delivers an artifact.
type source string

const (
	sourceNPM     source = "npm"
	sourcePip     source = "pip"
	sourceRelease source = "release"
)

// The names of the pinned version for npm and pip. Other versions have other digests, so neither may be a
// range.
const (
	npmPackage = "onnxruntime-node@" + Version
	pipPackage = "onnxruntime==" + Version
)

// artifacts are tried from top to bottom. They differ although they are all
// called 1.24.3: npm's linux/amd64 library is built with more execution
// providers than the wheel's (35 MB against 22), and each build has its own id.
//
// The digests of npm and pip are those of the library, computed from the packages as the clients delivered
// them in November 2026; the wheels for CPython 3.11 to 3.14 hold the same library. The release archives
// could not be downloaded where this was written. So their digests are those of the whole archive, as other
// public projects pin them. At least two unrelated projects agree on each (CMake's URL_HASH, installers and
// build notes). A wrong digest here can only refuse a good archive, never accept another one.
//
// There is no entry for macOS on Intel, where 1.24 is not published, nor for
// Windows, whose libraries this package cannot inspect.
var artifacts = []artifact{
	{
		source: sourceNPM, os: "linux", arch: "amd64", name: npmPackage, bytes: 85_987_774,
		member:        "package/bin/napi-v6/linux/x64/libonnxruntime.so.1",
		librarySHA256: "92ba8e44d31b80a34f5e805076a044122c3be1fffe0d88ed790de7267b0b2682",
	},
	{
		source: sourceNPM, os: "linux", arch: "arm64", name: npmPackage, bytes: 85_987_774,
		member:        "package/bin/napi-v6/linux/arm64/libonnxruntime.so.1",
		librarySHA256: "33032cb5b91c12edbf028d7c69fa40a31848d66c0095448758af237d5e0b07db",
	},
	{
		source: sourceNPM, os: "darwin", arch: "arm64", name: npmPackage, bytes: 85_987_774,
		member:        "package/bin/napi-v6/darwin/arm64/libonnxruntime.1.24.3.dylib",
		librarySHA256: "76831409ce6eded92b4cb343cf422c458a60c1ea1d5f3cfa69692ab7fcc67f0f",
	},
	{
		source: sourcePip, os: "linux", arch: "amd64", name: pipPackage, bytes: 17_213_247,
		tag:           "manylinux_2_28_x86_64",
		member:        "onnxruntime/capi/libonnxruntime.so.1.24.3",
		librarySHA256: "12e097b0705253189cd2cde73a091febefb7348edcfe606cd54aec010a4bab2b",
	},
	{
		source: sourcePip, os: "linux", arch: "arm64", name: pipPackage, bytes: 15_130_330,
		tag:           "manylinux_2_28_aarch64",
		member:        "onnxruntime/capi/libonnxruntime.so.1.24.3",
		librarySHA256: "34b560ca50f0ba1228a715ce3bedb14eb0fa8e9002dd43dfe083be399f67d7ad",
	},
	{
		source: sourcePip, os: "darwin", arch: "arm64", name: pipPackage, bytes: 17_332_766,
		tag:           "macosx_14_0_arm64",
		member:        "onnxruntime/capi/libonnxruntime.1.24.3.dylib",
		librarySHA256: "b65e22247d3ce2976931cfc6be3929e6fb81cd55e2f202e95e0ab8c9de5fa729",
	},
	{
		source: sourceRelease, os: "linux", arch: "amd64", bytes: 8_150_413,
		name:          "onnxruntime-linux-x64-1.24.3.tgz",
		member:        "onnxruntime-linux-x64-1.24.3/lib/libonnxruntime.so.1.24.3",
		archiveSHA256: "4c436a280d650f8bf32c921a2bf4de7c42cc32884c51c90e47de991708bbb5a4",
	},
	{
		source: sourceRelease, os: "linux", arch: "arm64", bytes: 7_166_580,
		name:          "onnxruntime-linux-aarch64-1.24.3.tgz",
		member:        "onnxruntime-linux-aarch64-1.24.3/lib/libonnxruntime.so.1.24.3",
		archiveSHA256: "15100fb88b4c692cdd6bf2cca5f4a26a3806cebca8136de6681e2aba4b2ea033",
	},
	{
		source: sourceRelease, os: "darwin", arch: "arm64", bytes: 30_381_891,
		name:          "onnxruntime-osx-arm64-1.24.3.tgz",
		member:        "onnxruntime-osx-arm64-1.24.3/lib/libonnxruntime.1.24.3.dylib",
		archiveSHA256: "c255663d40755f84b1b86373bdb9870bb65f3a2c3d779b3d7ae31aaa00cebb4f",
	},
}

// artifacts returns the artifacts for the machine, in the order to try them.
func (m machine) artifacts(all []artifact) []artifact {
	var own []artifact
	for _, a := range all {
		if a.os == m.os && a.arch == m.arch {
			own = append(own, a)
		}
	}
	return own
}
