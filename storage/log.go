package storage

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	storagev1 "rollcall/proto/rollcall/storage/v1"
)

// A line of the log says what a change did. The lines of a partition are
// chained: nobody can alter, remove or insert a line unless all later lines
// are written again. The personal part of a line is in the chain only as a
// salted digest, so that it can be blanked when it has to be erased.

// saltBytes is the length of a salt: nobody can try 2^128 salts.
const saltBytes = 16

// errLine is returned for a line of the log that is not what was written.
var errLine = fmt.Errorf("%w: the log of changes was altered or damaged; restore a backup", ErrCorrupt)

// chainStart is the chain before the first line. Each partition has its own,
// so that a line cannot be moved to another partition.
func chainStart(k keys) []byte {
	sum := sha256.Sum256(k)
	return sum[:]
}

// chain returns the chain of a line. Every part has a fixed length or its
// length in front, so that two different lines never give the hash the same
// bytes.
func chain(before []byte, sequence uint64, line *storagev1.Line) []byte {
	h := sha256.New()
	h.Write(before)
	b := binary.BigEndian.AppendUint64(nil, sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(line.GetTime().GetSeconds()))
	b = binary.BigEndian.AppendUint32(b, uint32(line.GetTime().GetNanos()))
	b = binary.BigEndian.AppendUint64(b, uint64(len(line.Cause)))
	b = append(b, line.Cause...)
	h.Write(b)
	h.Write(line.GetBy().GetDigest())
	for _, w := range line.Writes {
		h.Write(w.GetDigest())
	}
	return h.Sum(nil)
}

// digested puts content behind a salted digest.
func digested(content []byte) *storagev1.Digested {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, as documented
	return &storagev1.Digested{Digest: digest(salt, content), Salt: salt, Content: content}
}

func digest(salt, content []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(content)
	return h.Sum(nil)
}

// reveal returns the content behind a digest. Blanked says that it was erased;
// ok is false if the content does not fit the digest.
func reveal(d *storagev1.Digested) (content []byte, blanked, ok bool) {
	if len(d.GetDigest()) != sha256.Size {
		return nil, false, false
	}
	if len(d.Salt) == 0 && len(d.Content) == 0 {
		return nil, true, true
	}
	return d.Content, false, len(d.Salt) == saltBytes && string(digest(d.Salt, d.Content)) == string(d.Digest)
}

// encodeLine returns the line of a change, and its chain.
func encodeLine(c Change, sequence uint64, before []byte) (value, newChain []byte, err error) {
	line := &storagev1.Line{Time: timestamppb.New(c.Time), Cause: c.Cause, By: digested([]byte(c.By))}
	for _, w := range c.Writes {
		logged := &storagev1.LoggedWrite{Kind: uint32(w.Ref.Kind), Id: []byte(w.Ref.ID), Model: []byte(w.Ref.Model)}
		if w.Before != nil {
			if logged.Before, err = w.Before.encode(); err != nil {
				return nil, nil, err
			}
		}
		content, err := proto.Marshal(logged)
		if err != nil {
			return nil, nil, fmt.Errorf("storage: encoding a change: %w", err)
		}
		line.Writes = append(line.Writes, digested(content))
	}
	line.Chain = chain(before, sequence, line)
	value, err = marshal(kindLine, line, c.Time)
	return value, line.Chain, err
}

// decodeLine returns the change of a line, and its chain, after verifying that
// it goes on from the chain before; or ErrCorrupt.
func decodeLine(value []byte, sequence uint64, before []byte) (c Change, newChain []byte, err error) {
	var line storagev1.Line
	if proto.Unmarshal(value, &line) != nil || string(chain(before, sequence, &line)) != string(line.Chain) {
		return Change{}, nil, errLine
	}
	by, _, ok := reveal(line.By)
	c = Change{Sequence: sequence, Cause: line.Cause, By: string(by)}
	if !ok || !readTime(line.Time, &c.Time) {
		return Change{}, nil, errLine
	}
	for _, d := range line.Writes {
		w, err := decodeWrite(d)
		if err != nil {
			return Change{}, nil, err
		}
		c.Writes = append(c.Writes, w)
	}
	return c, line.Chain, nil
}

func decodeWrite(d *storagev1.Digested) (w Write, err error) {
	content, blanked, ok := reveal(d)
	if blanked {
		return Write{}, nil
	}
	var m storagev1.LoggedWrite
	if !ok || proto.Unmarshal(content, &m) != nil || m.Kind > 0xff {
		return Write{}, errLine
	}
	w.Ref = Ref{Kind: Kind(m.Kind), ID: string(m.Id), Model: string(m.Model)}
	if len(m.Before) > 0 {
		w.Before, err = new(decoder).value(w.Ref, m.Before)
	}
	return w, err
}

// lineEnd returns the chain and the time of a line, and does not verify them.
func lineEnd(value []byte) (chain []byte, written *timestamppb.Timestamp, err error) {
	var line storagev1.Line
	if proto.Unmarshal(value, &line) != nil || !line.Time.IsValid() {
		return nil, nil, errLine
	}
	return line.Chain, line.Time, nil
}
