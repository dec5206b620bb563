package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rollcall/cmd/terminal"
	pb "rollcall/proto/rollcall/v1"
)

func tokensCommand() command {
	return command{
		name:  "tokens",
		short: "say who may do what: make, list and revoke tokens, pair tablets",
		long: `A server without a token answers everybody on its machine. From the first token on
every caller needs one: commands take it from ROLLCALL_TOKEN, --token-file or --token.

  checkin    asks who is on a crop, finds faces, records check-ins: the door, a tablet
  register   reads verdicts, records check-ins, lists students: the attendance system behind
  enroll     what a checkin may, and enrols and corrects students and crops: the office
  admin      everything
  metrics    reads /metrics`,
		children: []command{tokensCreate(), tokensPair(), tokensList(), tokensRevoke()},
	}
}

// grant is what a new token or tablet may do.
type grant struct {
	role                      string
	onlyGalleries, onlyGroups []string
}

func (g *grant) addFlags(set *pflag.FlagSet, role string, allowed []string) {
	set.StringVar(&g.role, "role", role, "what it may do: "+oneOf(allowed))
	set.StringArrayVar(&g.onlyGalleries, "allow-gallery", nil, "gallery that it may use; may be repeated; none: that of --gallery, or else all")
	set.StringArrayVar(&g.onlyGroups, "allow-group", nil, "for a checkin: group that it may ask about; may be repeated; none: all")
}

var (
	tokenRoles  = []string{"checkin", "register", "enroll", "admin", "metrics"}
	tabletRoles = tokenRoles[:3]
)

// galleries returns those that it may use: with --gallery no more than this one, if the
// grant names none.
func (g *grant) galleries(o *clientOptions) []string {
	if len(g.onlyGalleries) == 0 && o.gallery != "" {
		return []string{o.gallery}
	}
	return g.onlyGalleries
}

// value returns the role as the contract names it.
func (g *grant) value(allowed []string) (pb.Role, error) {
	if !slices.Contains(allowed, g.role) {
		return 0, usageError("--role is %q; it can be %s", g.role, oneOf(allowed))
	}
	return pb.Role(pb.Role_value["ROLE_"+strings.ToUpper(g.role)]), nil
}

func roleWord(r pb.Role) string { return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")) }

// createOptions are the flags of tokens create.
type createOptions struct {
	clientOptions
	grant
	embeddings bool
	expires    string
	data       string
	sealKey    sealKeyOptions
}

func tokensCreate() command {
	var o createOptions
	return command{
		name:  "create",
		args:  "NAME",
		short: "make a token; it is shown once",
		long: `Makes a token for NAME, and prints it: the server keeps only a hash of it. The first
one must be an admin's. With --data the token is made in a data folder that no server
has open, so nobody has to log in:

  rollcall tokens create head --role admin --data rollcall-data
  ROLLCALL_TOKEN=… rollcall tokens create door --role checkin --allow-group 3b`,
		flags: func(set *pflag.FlagSet) {
			o.grant.addFlags(set, "", tokenRoles)
			set.BoolVar(&o.embeddings, "embeddings", false, "for enroll and admin: it may get embeddings; a face can be rebuilt from one")
			set.StringVar(&o.expires, "expires", "", "when it ends: a last day such as 2027-07-31, or a time from now such as 12h; empty: never")
			set.StringVar(&o.data, "data", "", "make it in this data folder, while no server has it open")
			o.sealKey.addFlags(set)
			o.clientOptions.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError("tokens create needs a name: rollcall tokens create door --role checkin")
			}
			return runTokensCreate(ctx, c, o, args[0])
		},
	}
}

func runTokensCreate(ctx context.Context, c console, o createOptions, name string) error {
	role, err := o.value(tokenRoles)
	if err != nil {
		return err
	}
	req := &pb.CreateTokenRequest{Name: name, Role: role, Galleries: o.grant.galleries(&o.clientOptions), Groups: o.onlyGroups, Embeddings: o.embeddings}
	expires, err := expiry(o.expires, time.Now())
	if err != nil {
		return err
	}
	if !expires.IsZero() {
		req.Expires = timestamppb.New(expires)
	}
	var resp *pb.CreateTokenResponse
	if o.data != "" {
		resp, err = createInFolder(ctx, o.data, o.sealKey, req)
	} else if err = o.validate(); err == nil {
		resp, err = o.tokens().CreateToken(ctx, req)
		err = callError(o.server, err)
	}
	if err != nil {
		return err
	}
	if o.output.JSON() {
		return printMessage(c.out, resp)
	}
	fmt.Fprintln(c.err, "This is shown once; the server keeps only a hash of it:")
	_, err = fmt.Fprintln(c.out, resp.GetSecret())
	return err
}

// expiry returns when a token ends; zero: never. A day is over at its end.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil && day.AddDate(0, 0, 1).After(now) {
		return day.AddDate(0, 0, 1), nil
	}
	return time.Time{}, usageError("--expires is %q; it can be a day to come, such as %s, or a time from now, such as 12h", text, now.AddDate(1, 0, 0).Format(time.DateOnly))
}

func tokensPair() command {
	var o clientOptions
	var g grant
	return command{
		name:  "pair",
		args:  "NAME",
		short: "show a code that pairs a tablet",
		long: `Shows a code for the tablet NAME. Whoever types it there within ten minutes pairs the
tablet, once. It stays paired until it is revoked ("rollcall tokens revoke"), or the
token is with which this command was called.`,
		flags: func(set *pflag.FlagSet) {
			g.addFlags(set, "checkin", tabletRoles)
			o.addFlags(set)
		},
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError("tokens pair needs a name: rollcall tokens pair \"door tablet\"")
			}
			role, err := g.value(tabletRoles)
			if err != nil {
				return err
			}
			if err := o.validate(); err != nil {
				return err
			}
			resp, err := o.tokens().CreatePairingCode(ctx, &pb.CreatePairingCodeRequest{Name: args[0], Role: role, Galleries: g.galleries(&o), Groups: g.onlyGroups})
			if err != nil {
				return callError(o.server, err)
			}
			if o.output.JSON() {
				return printMessage(c.out, resp)
			}
			code := resp.GetCode()
			return terminal.Printf(c.out, "%s-%s until %s\n", code[:len(code)/2], code[len(code)/2:], resp.GetExpires().AsTime().Local().Format(time.TimeOnly))
		},
	}
}

func tokensList() command {
	var o clientOptions
	return command{
		name:  "list",
		short: "list tokens, sessions and paired tablets",
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) > 0 {
				return usageError("tokens list takes no arguments")
			}
			if err := o.validate(); err != nil {
				return err
			}
			resp, err := o.tokens().ListTokens(ctx, &pb.ListTokensRequest{})
			if err != nil {
				return callError(o.server, err)
			}
			if o.output.JSON() {
				return printMessage(c.out, resp)
			}
			var rows [][]string
			for _, t := range resp.GetTokens() {
				rows = append(rows, []string{
					t.GetTokenId(), t.GetName(), roleWord(t.GetRole()), orDash(strings.Join(t.GetGalleries(), ",")), orDash(strings.Join(t.GetGroups(), ",")),
					tokenState(t, time.Now()), whenOrDash(t.GetLastUsed()), orDash(t.GetParentId()),
				})
			}
			return terminal.PrintTable(c.out, []string{"ID", "NAME", "ROLE", "GALLERIES", "GROUPS", "STATE", "LAST USED", "MADE FROM"}, rows)
		},
	}
}

// tokenState says until when a token is good.
func tokenState(t *pb.Token, now time.Time) string {
	switch {
	case t.GetRevoked() != nil:
		return "revoked"
	case t.GetExpires() == nil:
		return "good"
	case !now.Before(t.GetExpires().AsTime()):
		return "expired"
	}
	return "until " + whenOrDash(t.GetExpires())
}

func whenOrDash(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().Local().Format("2006-01-02 15:04")
}

func tokensRevoke() command {
	var o clientOptions
	return command{
		name:  "revoke",
		args:  "ID",
		short: "end a token, a session or a paired tablet for good",
		long: `Ends a token for good, with the sessions that it bought and the tablets that it paired.
"rollcall tokens list" shows the ids.`,
		flags: o.addFlags,
		run: func(ctx context.Context, c console, args []string) error {
			if len(args) != 1 {
				return usageError("tokens revoke needs the id of a token")
			}
			if err := o.validate(); err != nil {
				return err
			}
			if _, err := o.tokens().RevokeToken(ctx, &pb.RevokeTokenRequest{TokenId: args[0]}); err != nil {
				return callError(o.server, err)
			}
			return terminal.Printf(c.out, "%s revoked\n", args[0])
		},
	}
}
