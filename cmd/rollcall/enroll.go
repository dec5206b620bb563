package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// enrollOptions are the flags of enroll.
type enrollOptions struct {
	clientOptions
	layout        layout
	student, crop string
	groups        []string
	model         string
	face          faceChoice
	duplicates    bool
	unlike        bool
}

func enrollCommand() command {
	o := enrollOptions{layout: layout(layouts[0])}
	return command{
		name:  "enroll",
		args:  "FILE|FOLDER",
		short: "enrol one crop, or a folder with a folder of crops for each student",
		long: `Enrols one crop of --student, or a folder. --layout says how the folder is laid out:

  crops/STUDENT/any-name.jpg          student/file, the default
  crops/GROUP/STUDENT/any-name.jpg    group/student/file: also adds them to the group

A crop's id is its path in the folder, such as STUDENT/any-name.jpg. If it is enrolled
again, it replaces the old one. A crop is refused if it is too poor to recognise somebody by,
if another student has the same face (--allow-duplicate), or if it is unlike the student's
other crops, because it lies in a wrong folder perhaps (--allow-unlike). A folder with another
layout is refused before anything is sent. A bad file does not stop the others: it is listed at
the end, and the exit code is then 4. Symbolic links are followed. Thumbs.db, desktop.ini and
files whose names begin with a dot are left out. After an interrupt the command still waits for
the answers to what it has sent, so that the counts are right; a second interrupt ends it at once.`,
		flags: func(set *pflag.FlagSet) {
			set.Var(&o.layout, "layout", "how the folder is laid out: "+oneOf(layouts))
			set.StringVar(&o.student, "student", "", "whose face it is; for a single file")
			set.StringVar(&o.crop, "crop", "", "the crop's id; for a single file; empty: STUDENT/FILE")
			set.StringArrayVar(&o.groups, "group", nil, "add the students to this group; may be repeated")
			set.StringVar(&o.model, "model", "", "the model; empty: the server's default")
			o.face.addFlag(set)
			set.BoolVar(&o.duplicates, "allow-duplicate", false, "enrol a crop even if another student looks the same (twins)")
			set.BoolVar(&o.unlike, "allow-unlike", false, "enrol a crop even if it is unlike the student's other ones")
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("enroll needs one file or folder: rollcall enroll crops/")
			}
			return runEnroll(ctx, c, o, args[0])
		},
	}
}

func runEnroll(ctx context.Context, c console, o enrollOptions, path string) error {
	if err := o.validate(); err != nil {
		return err
	}
	files, failed, err := cropFiles(o, path)
	if err != nil {
		return err
	}
	result := &enrolment{Crops: len(files) + len(failed), Failed: failed, students: make(map[string]int), done: make(map[string]bool)}
	err = result.enrollPatiently(ctx, c, o, files)
	// Crops that were enrolled before a failure stay enrolled: print the result in any case.
	if perr := result.print(c, o.output); perr != nil {
		return errors.Join(err, perr)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return callError(o.server, err)
	case len(result.Failed) > 0:
		return &exitError{exitSome, fmt.Errorf("not enrolled: %d of %s", len(result.Failed), count(result.Crops, "crop"))}
	}
	return nil
}

// cropFiles lists the files to enrol, and those that cannot be enrolled.
func cropFiles(o enrollOptions, path string) ([]cropFile, []fileFailure, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fileError(path, err)
	}
	if info.IsDir() {
		if o.student != "" || o.crop != "" {
			return nil, nil, usageError("--student and --crop are for a single file; in a folder, each student's folder has the student's id as its name")
		}
		return folderFiles(path, o.layout)
	}
	if o.student == "" {
		return nil, nil, usageError("whose face is it? give --student, or give a folder with a folder of crops for each student")
	}
	crop, name := o.crop, filepath.Base(path)
	if crop == "" {
		if !info.Mode().IsRegular() || !utf8.ValidString(name) {
			return nil, nil, usageError("the name of %s cannot become part of a crop's id: give --crop", path)
		}
		crop = o.student + "/" + name
	}
	return []cropFile{{path: path, crop: crop, student: o.student}}, nil, nil
}
