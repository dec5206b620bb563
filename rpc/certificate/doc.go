// Package certificate is what a server needs to speak TLS: [Open] reads its certificate
// and key, and reads them again when the files change; [Init] makes a private authority
// and a certificate for a school's network, and [Renew] makes that certificate anew.
package certificate
