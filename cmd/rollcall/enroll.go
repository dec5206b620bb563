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
	duplicates    bool
}

func enrollCommand() command {
	o := enrollOptions{layout: layout(layouts[0])}
	return command{
		name:  "enroll",
		args:  "FILE|FOLDER",
		short: "enrol one crop, or a folder with a folder of crops for each student",
		long: `Enrols one crop of --student, or a folder. How a folder is laid out is told by
--layout:

  crops/STUDENT/any-name.jpg          student/file, the default
  crops/GROUP/STUDENT/any-name.jpg    group/student/file: adds them to the group too

A crop's id is its path in the folder, such as STUDENT/any-name.jpg; enrolling it
again replaces it. A folder that is laid out in another way is refused before
anything is sent. A bad file does not stop the others: it is listed at the end, and
the exit code is 4. Symbolic links are followed; files whose names begin with a dot,
Thumbs.db and desktop.ini are passed over. After an interrupt what was sent is still
waited for, so that the counts are right; a second one ends that.`,
		flags: func(set *pflag.FlagSet) {
			set.Var(&o.layout, "layout", "where in a folder the students' folders are: "+oneOf(layouts))
			set.StringVar(&o.student, "student", "", "whose face it is; for a single file")
			set.StringVar(&o.crop, "crop", "", "the crop's id; for a single file; empty: STUDENT/FILE")
			set.StringArrayVar(&o.groups, "group", nil, "add the students to this group; may be repeated")
			set.StringVar(&o.model, "model", "", "the model; empty: the server's default")
			set.BoolVar(&o.duplicates, "allow-duplicate", false, "enrol even where another student looks the same (twins)")
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
	result := &enrolment{Crops: len(files) + len(failed), Failed: failed, students: make(map[string]bool)}
	err = result.enroll(ctx, c, o, files)
	// What was enrolled before a failure is enrolled: say it in any case.
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

// cropFiles lists what is to be enrolled, and what cannot be.
func cropFiles(o enrollOptions, path string) ([]cropFile, []fileFailure, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fileError(path, err)
	}
	if info.IsDir() {
		if o.student != "" || o.crop != "" {
			return nil, nil, usageError("--student and --crop are for a single file; in a folder, the folders' names are the students")
		}
		return folderFiles(path, o.layout)
	}
	if o.student == "" {
		return nil, nil, usageError("whose face is it? give --student, or a folder with a folder for each student")
	}
	crop, name := o.crop, filepath.Base(path)
	if crop == "" {
		if !info.Mode().IsRegular() || !utf8.ValidString(name) {
			return nil, nil, usageError("%s has no name that a crop's id could be made of: give --crop", path)
		}
		crop = o.student + "/" + name
	}
	return []cropFile{{path: path, crop: crop, student: o.student}}, nil, nil
}
