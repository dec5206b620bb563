package main

import (
	"fmt"
	"time"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

// printReceipt prints what was erased, and where it may still be.
func printReceipt(c console, r *pb.Receipt) error {
	at := func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
	terminal.Printf(c.out, "  erased   %s, %s, the names in %s of the log and %s of the journal\n",
		count(int(r.GetCrops()), "crop"), count(int(r.GetEmbeddings()), "embedding"), count(int(r.GetLogLines()), "line"), count(int(r.GetJournalLines()), "line"))
	terminal.Printf(c.out, "  change   %d, on %s\n", r.GetChange(), at(r.GetTime().AsTime()))
	files := "the server is still rewriting them, and goes on after a restart"
	if r.GetFinished() != nil {
		files = "none has held it since " + at(r.GetFinished().AsTime())
	}
	backups := "those made before hold it until they are deleted"
	if r.GetBackupsUntil() != nil {
		backups = "those of the server hold it until about " + at(r.GetBackupsUntil().AsTime()) + "; those that somebody made by hand are not known"
	}
	_, err := fmt.Fprintf(c.out, "  files    %s\n  backups  %s; restore one with the list of erasures\n", files, backups)
	return err
}
