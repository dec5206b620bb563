package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// studentsExportOptions are the flags of students export.
type studentsExportOptions struct {
	client  clientOptions
	vectors bool
	force   bool
}

func studentsExport() command {
	var o studentsExportOptions
	return command{
		name:  "export",
		args:  "STUDENT FILE.zip",
		short: "write all that is kept of one person into a ZIP file",
		long: `Writes all that the gallery keeps of one person, who has a right to see it: the record, the
crops, and the lines of the log and the journal that name the person, also under an id
that was merged into this one. README.txt in the file says what each thing is.

The face vectors are written with --vectors, for which a token made with --embeddings is
needed. A file that is there already is replaced only with --force.`,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&o.vectors, "vectors", false, "with the face vectors, from which faces can be rebuilt")
			set.BoolVar(&o.force, "force", false, "replace the file if it is there already")
			o.client.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 2 || args[0] == "" || args[1] == "" {
				return usageError("students export needs a student and the name of a file: rollcall students export s1001 s1001.zip")
			}
			if err := o.client.validate(); err != nil {
				return err
			}
			return runStudentsExport(ctx, c, &o, args[0], args[1])
		},
	}
}

func runStudentsExport(ctx context.Context, c console, o *studentsExportOptions, student, name string) error {
	if _, err := os.Lstat(name); err == nil && !o.force {
		return fmt.Errorf("%s is there already: choose another name, or replace it with --force", name)
	}
	person, err := o.fetch(ctx, student)
	if err != nil {
		return err
	}
	_, err = writeBeside(name, func(file *os.File) (struct{}, error) { return struct{}{}, o.write(file, person) })
	if err != nil {
		return err
	}
	return terminal.Printf(c.out, "exported all that is kept of %s to %s: %s, %s of the log, %s of the journal\n", student, name,
		count(len(person.GetStudent().GetCrops()), "crop"), count(len(person.GetChanges()), "line"), count(len(person.GetLines()), "line"))
}

// fetch returns all that the server sends as one message.
func (o *studentsExportOptions) fetch(ctx context.Context, student string) (*pb.ExportStudentResponse, error) {
	client := rollcallv1connect.NewExportServiceClient(&http.Client{Transport: o.client.transport(nil)}, o.client.server, connect.WithInterceptors(o.client.login))
	parts, err := client.ExportStudent(ctx, &pb.ExportStudentRequest{StudentId: student, Vectors: o.vectors})
	if err != nil {
		return nil, callError(o.client.server, err)
	}
	all := new(pb.ExportStudentResponse)
	for parts.Receive() {
		proto.Merge(all, parts.Msg())
	}
	if err := errors.Join(parts.Err(), parts.Close()); err != nil {
		return nil, callError(o.client.server, err)
	}
	return all, nil
}

// write writes the ZIP file.
func (o *studentsExportOptions) write(to io.Writer, p *pb.ExportStudentResponse) error {
	archive, now := zip.NewWriter(to), time.Now()
	add := func(name string, fill func(io.Writer) error) error {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: now})
		if err == nil {
			err = fill(w)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return nil
	}
	crops := p.GetStudent().GetCrops()
	record := proto.CloneOf(p.GetStudent())
	if record != nil {
		record.Crops = nil
	}
	err := errors.Join(
		add("README.txt", func(w io.Writer) error { return o.explain(w, p, now) }),
		add("student.json", func(w io.Writer) error { return printMessage(w, record) }),
		add("crops.json", func(w io.Writer) error { return printList(w, crops) }),
		add("log.json", func(w io.Writer) error { return printList(w, p.GetChanges()) }),
		add("journal.json", func(w io.Writer) error { return printList(w, p.GetLines()) }),
	)
	if o.vectors {
		err = errors.Join(err, add("vectors.json", func(w io.Writer) error { return printList(w, p.GetVectors()) }))
	}
	return errors.Join(err, archive.Close())
}

// printList prints messages as a list of JSON, one in a line.
func printList[M proto.Message](out io.Writer, list []M) error {
	var text bytes.Buffer
	text.WriteString("[")
	for i, m := range list {
		if i > 0 {
			text.WriteString(",")
		}
		text.WriteString("\n")
		if err := printCompact(&text, m); err != nil {
			return err
		}
		text.Truncate(text.Len() - len("\n"))
	}
	text.WriteString("\n]\n")
	_, err := text.WriteTo(out)
	return err
}

// explain says in plain words what the files hold.
func (o *studentsExportOptions) explain(out io.Writer, p *pb.ExportStudentResponse, now time.Time) error {
	var t strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&t, format+"\n", args...) }
	names := p.GetStudentIds()
	say("This is all that the attendance system keeps of one person in one gallery.\nWritten on %s.\n", now.UTC().Format("2006-01-02 15:04 UTC"))
	say("Id: %s", names[0])
	if len(names) > 1 {
		say("Earlier ids of the same person: %s", strings.Join(names[1:], ", "))
	}
	if s := p.GetStudent(); s != nil {
		say("Groups: %s", orDash(strings.Join(s.GetGroups(), ", ")))
		consent := "nothing was noted"
		if c := s.GetConsent(); c != nil {
			consent = consentWord(c.GetState()) + " on " + c.GetDate() + inBrackets(c.GetReference())
		}
		say("Consent to face recognition: %s", consent)
		last := "no day is set"
		if s.GetDeleteAfter() != "" {
			last = "deleted after " + s.GetDeleteAfter()
		}
		say("Kept until: %s", last)
	} else {
		say("There is no record: only the log or the journal names this id.")
	}
	say(`
student.json  The record: the id, the groups, what was said about consent, and the last
              day on which the record is kept.
crops.json    The pictures of the face by which the person is recognised: %d. The
              pictures themselves are not kept. Kept are when each came in, how good it
              was (sharpness, brightness, how the head was turned), and which program
              (model, recipe) measured it.
log.json      What was changed in the record, when, and with whose token: %d lines.
              "cause" says what was done. "token_id" is the id of the key of the person or
              device that did it; the school knows whose it is.
journal.json  When the person was recognised or checked in: %d lines. "verdict" is the
              answer of the program, "similarity" how alike the face was to the stored
              pictures, and "threshold" how alike it had to be. "token" and "by" say
              which device or person it was, "address" where the device was in the network.`,
		len(p.GetStudent().GetCrops()), len(p.GetChanges()), len(p.GetLines()))
	if o.vectors {
		say(`vectors.json  The numbers that the program has computed of each picture, and compares: %d
              lists. A face can be rebuilt from them: keep this file as safe as a picture.`, len(p.GetVectors()))
	} else {
		say(`
For each picture the system also keeps a list of numbers that the program compares. They
are not in this file, because a face can be rebuilt from them. Ask the school for them.`)
	}
	say(`
All times are in UTC. Backups may hold the same things for as long as the school keeps them.
The ids of other people are left out.`)
	_, err := io.WriteString(out, t.String())
	return err
}
