package main

import "testing"

// What is printed to be copied into a shell does what it says, whatever an id holds.
func TestShellWord(t *testing.T) {
	for id, want := range map[string]string{
		"s1001/1.jpg": "s1001/1.jpg", "Zoë-2": "Zoë-2", "Ada Lovelace": "'Ada Lovelace'",
		"$(reboot)": "'$(reboot)'", "a;b": "'a;b'", "O'Hara": `'O'\''Hara'`,
	} {
		if got := shellWord(id); got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
	}
}
