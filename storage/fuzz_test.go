package storage

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fuzzStores returns a store in memory and a sealed one, each with everything in it.
func fuzzStores(t *testing.T) map[string]*memory {
	t.Helper()
	key, err := ParseSealKey([]byte(strings.Repeat("ab", SealKeyBytes)))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*memory)
	for _, name := range []string{"plain", "sealed"} {
		s := OpenMemory(Faults{})
		all[name] = s.backend.(*memory)
		if name == "sealed" {
			s.backend = newSealed(s.backend, key)
		}
		personal(t, s)
	}
	return all
}

// FuzzStored damages one value of a store, as a disk may, and reads everything: it is what was
// written, or an error says that it is damaged. Nothing panics.
func FuzzStored(f *testing.F) {
	f.Add(uint16(0), uint16(0), []byte(nil))
	for i := range uint16(40) {
		f.Add(i, i, []byte{0x0a})
		f.Add(i, uint16(0), []byte("\x0a\xff\xff\xff\xff\x0f"))
		f.Add(i, uint16(1), []byte{0xff, 0x80, 0x08, 0x00})
	}
	f.Fuzz(func(t *testing.T, which, at uint16, bytes []byte) {
		for name, m := range fuzzStores(t) {
			keys := make([]string, 0, len(m.values))
			for key := range m.values {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			key := keys[int(which)%len(keys)]
			value := slices.Clone(m.values[key])
			begin := int(at) % (len(value) + 1)
			m.values[key] = append(value[:begin], append(slices.Clone(bytes), value[min(len(value), begin+len(bytes)):]...)...)
			s := &Store{backend: m, server: 7}
			if name == "sealed" {
				operator, err := ParseSealKey([]byte(strings.Repeat("ab", SealKeyBytes)))
				if err != nil {
					t.Fatal(err)
				}
				s.backend = newSealed(m, operator)
			}
			useAll(t, s)
		}
	})
}

// useAll reads everything of a store, and fails for errors other than of damage.
func useAll(t *testing.T, s *Store) {
	t.Helper()
	allow := func(what string, err error) {
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTrimmed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx := t.Context()
	for _, id := range []string{"elm-street", ServerPartition} {
		p := partition(t, s, id)
		_, err := p.Sequence(ctx)
		allow("sequence", err)
		for _, err := range p.Load(ctx) {
			allow("load", err)
		}
		for _, err := range p.Changes(ctx, 0) {
			allow("changes", err)
		}
		for _, err := range p.Lines(ctx, 0) {
			allow("lines", err)
		}
		for _, err := range p.Days(ctx) {
			allow("days", err)
		}
		_, err = p.NewestLine(ctx)
		allow("newest line", err)
		_, err = p.Verify(ctx)
		allow("verify", err)
		_, err = p.Erasures(ctx)
		allow("erasures", err)
		_, err = p.Fetch(ctx, Ref{Kind: KindCrop, ID: "ann/1"}, Ref{Kind: KindEmbedding, ID: "ann/1", Model: "m"})
		allow("fetch", err)
		_, err = p.Append(ctx, []Line{{Time: noon, Content: []byte("c"), Student: "ann", Request: "r"}})
		allow("append", err)
		_, err = p.Blank(ctx, "ann")
		allow("blank", err)
		_, err = p.TrimJournal(ctx, noon.AddDate(2, 0, 0))
		allow("trim the journal", err)
	}
}

// FuzzAcknowledged: the file says a number exactly as it was written, or nothing.
func FuzzAcknowledged(f *testing.F) {
	for _, text := range []string{"", "7", acknowledgedLine(0), acknowledgedLine(12345), acknowledgedLine(1<<63) + "x", "+" + acknowledgedLine(1), strings.Repeat("9", 40)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		fs := vfs.NewMem()
		file, err := fs.Create(acknowledgedFile, vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = file.Write(bytes.Clone(content)) // under the race detector MemFS spoils what it was given
		}
		if err != nil || file.Close() != nil {
			t.Fatal(err)
		}
		if n, err := saidAcknowledged(fs, ""); err == nil && !bytes.HasPrefix(content, []byte(acknowledgedLine(n))) {
			t.Fatalf("%q says %d", content, n)
		}
	})
}

// FuzzSealKey: a key is 32 bytes in one of two forms, and no error repeats what was given.
func FuzzSealKey(f *testing.F) {
	for _, text := range []string{"", strings.Repeat("ab", 32), strings.Repeat("ab", 31), " " + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n", strings.Repeat("zz", 32), "AAAA"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := ParseSealKey(text)
		plain := string(bytes.TrimSpace(text))
		inHex, hexErr := hex.DecodeString(plain)
		// Base64 may have line breaks in it.
		in64, err64 := base64.StdEncoding.DecodeString(plain)
		if good := hexErr == nil && len(inHex) == SealKeyBytes || err64 == nil && len(in64) == SealKeyBytes; good != (err == nil) {
			t.Fatalf("%q: %v", text, err)
		}
		const secret = 8
		for i := 0; err != nil && i+secret <= len(plain); i++ {
			if known := "the seal key is not 32 bytes in base64 or hexadecimal, but a text of bytes; \"rollcall seal new-key FILE\" makes one"; strings.Contains(err.Error(), plain[i:i+secret]) && !strings.Contains(known, plain[i:i+secret]) {
				t.Fatalf("the error repeats %q: %v", plain[i:i+secret], err)
			}
		}
	})
}

// FuzzErasures: a list is read as a whole, or refused; what is read is written and read alike.
func FuzzErasures(f *testing.F) {
	var list bytes.Buffer
	e := &Erasures{Key: ErasureKey(strings.Repeat("k", 32)), Entries: nil}
	if err := e.Write(&list); err != nil {
		f.Fatal(err)
	}
	f.Add(list.Bytes())
	header := `{"format":"rollcall erasures","version":1,"key":"` + strings.Repeat("61", 32) + `","count":1}` + "\n"
	line := `{"digest":"` + strings.Repeat("ab", 32) + `","time":"2026-11-26T12:00:00Z"}` + "\n"
	f.Add([]byte(header + line))
	f.Add([]byte(header))
	f.Add([]byte(header + strings.Replace(line, "}", `,"consent":"refused"}`, 1)))
	f.Add([]byte(header + line + line))
	f.Add([]byte(strings.Replace(header, `"version":1`, `"version":2`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := ReadErasures(bytes.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || read != nil {
				t.Fatalf("%v, %v", read, err)
			}
			return
		}
		var out bytes.Buffer
		if err := read.Write(&out); err != nil {
			return // a year that JSON has no form for
		}
		again, err := ReadErasures(&out)
		if err != nil || again.Key != read.Key || len(again.Entries) != len(read.Entries) {
			t.Fatalf("%q was read and written, and is read as %+v (%v)", text, again, err)
		}
		for digest, entry := range read.Entries {
			if got := again.Entries[digest]; !got.Time.Equal(entry.Time) || got.Consent != entry.Consent {
				t.Fatalf("%s with %v came back with %v", digest, entry, got)
			}
		}
	})
}
