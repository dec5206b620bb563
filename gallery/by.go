package gallery

import "context"

type byKey struct{}

// By returns a context whose changes are in the log as those of who: the id of a
// token, say; "": not known.
func By(ctx context.Context, who string) context.Context {
	if who == "" {
		return ctx
	}
	return context.WithValue(ctx, byKey{}, who)
}

// whoOf returns who makes the changes of a context.
func whoOf(ctx context.Context) string {
	who, _ := ctx.Value(byKey{}).(string)
	return who
}
