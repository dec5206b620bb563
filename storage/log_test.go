package storage

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// logged returns a partition with 5 changes in its log, and the changes as they
// are read.
func logged(t *testing.T, s *Store, id string) (*Partition, []Change) {
	t.Helper()
	p, m, rng := partition(t, s, id), newModel(), rand.New(rand.NewPCG(5, 5))
	for range 5 {
		c := Change{Time: noon, Cause: "enrol", By: "the office"}
		for _, w := range []Ref{{KindStudent, "ann", ""}, {KindEmbedding, "ann/1", "m"}, {KindStudent, "bob", ""}} {
			write := Write{Ref: w, Put: randomRecord(rng, w)}
			if w.Kind != KindEmbedding {
				write.Before = m.records[w]
			}
			c.Writes = append(c.Writes, write)
		}
		if err := p.Commit(t.Context(), m.sequence(), []Change{c}); err != nil {
			t.Fatal(err)
		}
		m.apply(c)
	}
	return p, m.changes
}

// editLine alters a line of the log by hand.
func editLine(t *testing.T, p *Partition, sequence uint64, edit func(*storagev1.Line)) {
	t.Helper()
	var line storagev1.Line
	if err := proto.Unmarshal(value(t, p, p.keys.line(sequence)), &line); err != nil {
		t.Fatal(err)
	}
	edit(&line)
	b, err := proto.Marshal(&line)
	if err != nil {
		t.Fatal(err)
	}
	plant(t, p, p.keys.line(sequence), b)
}

func value(t *testing.T, p *Partition, key []byte) []byte {
	t.Helper()
	b, err := p.store.backend.get(key)
	if err != nil || b == nil {
		t.Fatal("no value", err)
	}
	return b
}

// TestTampering alters the log in every way that its chain must show.
func TestTampering(t *testing.T) {
	write := func(edit func(*storagev1.Digested)) func(*testing.T, *Partition) {
		return func(t *testing.T, p *Partition) {
			editLine(t, p, 3, func(l *storagev1.Line) { edit(l.Writes[0]) })
		}
	}
	line := func(edit func(*storagev1.Line)) func(*testing.T, *Partition) {
		return func(t *testing.T, p *Partition) { editLine(t, p, 3, edit) }
	}
	// anew writes a line whose own chain fits what it says.
	anew := func(edit func(*storagev1.Line)) func(*testing.T, *Partition) {
		return func(t *testing.T, p *Partition) {
			var before []byte
			editLine(t, p, 2, func(l *storagev1.Line) { before = l.Chain })
			editLine(t, p, 3, func(l *storagev1.Line) {
				edit(l)
				l.Chain = chain(before, 3, l)
			})
		}
	}
	for what, tamper := range map[string]func(*testing.T, *Partition){
		"time":            line(func(l *storagev1.Line) { l.Time.Seconds++ }),
		"no time":         line(func(l *storagev1.Line) { l.Time = nil }),
		"nanoseconds":     line(func(l *storagev1.Line) { l.Time.Nanos++ }),
		"cause":           line(func(l *storagev1.Line) { l.Cause = "Enrol" }),
		"who":             line(func(l *storagev1.Line) { l.By.Content = []byte("ann") }),
		"who with digest": line(func(l *storagev1.Line) { l.By = digested([]byte("ann")) }),
		"no who":          line(func(l *storagev1.Line) { l.By = nil }),
		"chain":           line(func(l *storagev1.Line) { l.Chain[0]++ }),
		"a write less":    line(func(l *storagev1.Line) { l.Writes = l.Writes[1:] }),
		"a write more":    line(func(l *storagev1.Line) { l.Writes = append(l.Writes, l.Writes[0]) }),
		"order":           line(func(l *storagev1.Line) { l.Writes[0], l.Writes[1] = l.Writes[1], l.Writes[0] }),
		"write moved":     line(func(l *storagev1.Line) { l.By, l.Writes[0] = l.Writes[0], l.By }),
		"content":         write(func(d *storagev1.Digested) { d.Content[len(d.Content)-1]++ }),
		"blanked content": write(func(d *storagev1.Digested) { d.Content = nil }),
		"blanked salt":    write(func(d *storagev1.Digested) { d.Salt = nil }),
		"moved salt":      write(func(d *storagev1.Digested) { d.Salt, d.Content = append(d.Salt, d.Content[0]), d.Content[1:] }),
		"blanked digest":  write(func(d *storagev1.Digested) { d.Digest, d.Salt, d.Content = nil, nil, nil }),
		"line anew":       anew(func(l *storagev1.Line) { l.Cause = "merge" }),
		"who anew":        anew(func(l *storagev1.Line) { l.By = digested([]byte("ann")) }),
		"newest anew": func(t *testing.T, p *Partition) {
			var before []byte
			editLine(t, p, 4, func(l *storagev1.Line) { before = l.Chain })
			editLine(t, p, 5, func(l *storagev1.Line) {
				l.Cause = "merge"
				l.Chain = chain(before, 5, l)
			})
		},
		"line deleted":   func(t *testing.T, p *Partition) { plant(t, p, p.keys.line(3), nil) },
		"first deleted":  func(t *testing.T, p *Partition) { plant(t, p, p.keys.line(1), nil) },
		"newest deleted": func(t *testing.T, p *Partition) { plant(t, p, p.keys.line(5), nil) },
		"line added":     func(t *testing.T, p *Partition) { plant(t, p, p.keys.line(6), value(t, p, p.keys.line(5))) },
		"line replaced":  func(t *testing.T, p *Partition) { plant(t, p, p.keys.line(4), value(t, p, p.keys.line(3))) },
		"line of another": func(t *testing.T, p *Partition) {
			other, _ := logged(t, p.store, "b")
			plant(t, p, p.keys.line(1), value(t, p, other.keys.line(1)))
		},
		"line is no line": func(t *testing.T, p *Partition) { plant(t, p, p.keys.line(3), []byte("\xff")) },
		"head deleted":    func(t *testing.T, p *Partition) { plant(t, p, p.keys.head(), nil) },
		"head is no head": func(t *testing.T, p *Partition) { plant(t, p, p.keys.head(), []byte("\xff")) },
		"head of before": func(t *testing.T, p *Partition) {
			head, _, err := p.head()
			if err != nil {
				t.Fatal(err)
			}
			head.Sequence--
			b, err := proto.Marshal(head)
			if err != nil {
				t.Fatal(err)
			}
			plant(t, p, p.keys.head(), b)
		},
	} {
		t.Run(what, func(t *testing.T) {
			onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
				p, want := logged(t, s, "school")
				equal(t, "changes before", collect(t, p.Changes(t.Context(), 0)), want)
				tamper(t, p)
				err := last(p.Changes(t.Context(), 0))
				wantError(t, "Changes", err, ErrCorrupt)
				if err != nil && (strings.Contains(err.Error(), "ann") || !strings.Contains(err.Error(), "restore a backup")) {
					t.Errorf("the error says %q", err)
				}
			})
		})
	}
}

// TestBlanking erases what is personal in a line: the chain still verifies, and
// the change says what is left.
func TestBlanking(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p, want := logged(t, s, "school")
		editLine(t, p, 3, func(l *storagev1.Line) {
			l.By.Salt, l.By.Content = nil, nil
			l.Writes[0].Salt, l.Writes[0].Content = nil, nil
		})
		want[2].By, want[2].Writes[0] = "", Write{}
		for after := range uint64(6) {
			equal(t, fmt.Sprint("changes after ", after), collect(t, p.Changes(t.Context(), after)), want[after:len(want):len(want)])
		}
	})
}

// TestLogHoldsNoVector looks for the vector in everything but its record.
func TestLogHoldsNoVector(t *testing.T) {
	onEvery(t, func(t *testing.T, s *Store, _ func(*Store) *Store) {
		p := partition(t, s, "school")
		e := Embedding{CropID: "ann/1", Model: "m", Vector: randomVector(rand.New(rand.NewPCG(1, 1)), 8)}
		for range 2 {
			put(t, p, e)
		}
		if err := p.Commit(t.Context(), 2, []Change{{Time: noon, Writes: []Write{{Ref: e.Ref()}}}}); err != nil {
			t.Fatal(err)
		}
		raw, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		for pair, err := range s.backend.scan(t.Context(), span{[]byte{0}, []byte{0xff}}) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(pair.value), string(raw[4:20])) {
				t.Errorf("the vector lies under %x", pair.key)
			}
		}
	})
}

// TestSalts makes the same change twice: nobody can tell from the digests.
func TestSalts(t *testing.T) {
	a, b := digested([]byte("ann")), digested([]byte("ann"))
	if string(a.Digest) == string(b.Digest) || string(a.Salt) == string(b.Salt) {
		t.Error("the same content has the same digest")
	}
}
