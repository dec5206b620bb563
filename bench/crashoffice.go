package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"connectrpc.com/connect"

	pb "rollcall/proto/rollcall/v1"
)

// A crashOffice is a client that makes and revokes tokens, and makes, fills and deletes galleries.
type crashOffice struct {
	picture crop
	at      func(gallery, token string) crashAPI // of the server that runs; set at each start
	secret  string                               // the token that it works with itself

	rng       *rand.Rand
	drawn     int
	tokens    map[string]*crashToken // by name
	galleries map[string]int         // what was acknowledged of each: galleryMade, …
	unsettled func(view *crashView)  // takes the call that was not answered for what it became; nil: there is none

	tally *crashTally
}

// A crashToken is a token that was made.
type crashToken struct {
	id, secret     string
	revoked        bool // acknowledged
	perhapsRevoked bool // the call that revokes it was not answered
}

// How far a gallery is. One that was deleted stays galleryGone: its name is not used again.
const (
	galleryPerhaps = iota // the call that makes it was not answered
	galleryMade
	galleryFilled // with one crop of one student
	galleryGone
)

// mostGalleries is how many galleries of the office there may be at once.
const mostGalleries = 3

func (c *crashOffice) act(ctx context.Context, _ crashAPI) error {
	api := c.at("", c.secret)
	switch c.rng.IntN(5) {
	case 0:
		return c.makeToken(ctx, api)
	case 1:
		return c.revokeToken(ctx, api)
	}
	var there []string
	for id, stage := range c.galleries {
		if stage == galleryMade || stage == galleryFilled {
			there = append(there, id)
		}
	}
	slices.Sort(there)
	if len(there) < mostGalleries && (len(there) == 0 || c.rng.IntN(2) == 0) {
		return c.makeGallery(ctx, api)
	}
	id := there[c.rng.IntN(len(there))]
	if c.galleries[id] == galleryMade {
		return c.step(ctx, "enrol in a new gallery", id, galleryFilled, func() error {
			_, err := askServer(ctx, c.at(id, c.secret).attendance.Embed, &pb.EmbedRequest{Image: c.picture.jpeg, CropId: "crop", StudentId: "student"})
			return err
		})
	}
	return c.step(ctx, "delete a gallery", id, galleryGone, func() error {
		_, err := askServer(ctx, api.gallery.DeleteGallery, &pb.DeleteGalleryRequest{GalleryId: id})
		return err
	})
}

func (c *crashOffice) makeGallery(ctx context.Context, api crashAPI) error {
	c.drawn++
	id := fmt.Sprintf("office-%d", c.drawn)
	c.galleries[id] = galleryPerhaps
	return c.step(ctx, "make a gallery", id, galleryMade, func() error {
		_, err := askServer(ctx, api.gallery.CreateGallery, &pb.CreateGalleryRequest{GalleryId: id})
		return err
	})
}

// step takes a gallery to its next stage.
func (c *crashOffice) step(_ context.Context, kind, id string, next int, call func() error) error {
	switch err := call(); {
	case errors.Is(err, errUnknown):
		c.tally.unanswered(kind)
		c.unsettled = func(view *crashView) {
			stage := galleryGone
			if students, there := view.galleries[id]; there {
				stage = galleryMade + min(students, 1)
			}
			c.tally.settled(stage == next)
			// One that was never made is gone too.
			c.galleries[id] = stage
		}
		return err
	case err != nil:
		return fmt.Errorf("%s, %s: %w", kind, id, err)
	}
	c.galleries[id] = next
	c.tally.acknowledged(kind)
	return nil
}

func (c *crashOffice) makeToken(ctx context.Context, api crashAPI) error {
	c.drawn++
	name := fmt.Sprintf("token-%d", c.drawn)
	a, err := askServer(ctx, api.tokens.CreateToken, &pb.CreateTokenRequest{Name: name, Role: pb.Role_ROLE_ENROLL})
	switch {
	case errors.Is(err, errUnknown):
		c.tally.unanswered("make a token")
		c.unsettled = func(view *crashView) {
			for _, t := range view.tokens {
				if t.GetName() == name {
					c.tally.settled(true)
					c.tokens[name] = &crashToken{id: t.GetTokenId()}
					return
				}
			}
			c.tally.settled(false)
		}
		return err
	case err != nil:
		return fmt.Errorf("make a token: %w", err)
	}
	c.tokens[name] = &crashToken{id: a.GetToken().GetTokenId(), secret: a.GetSecret()}
	c.tally.acknowledged("make a token")
	return nil
}

func (c *crashOffice) revokeToken(ctx context.Context, api crashAPI) error {
	good := maps.Clone(c.tokens)
	maps.DeleteFunc(good, func(_ string, t *crashToken) bool { return t.revoked })
	t := good[one(c.rng, good)]
	if t == nil {
		return nil
	}
	_, err := askServer(ctx, api.tokens.RevokeToken, &pb.RevokeTokenRequest{TokenId: t.id})
	switch {
	case errors.Is(err, errUnknown):
		c.tally.unanswered("revoke a token")
		t.perhapsRevoked = true
		return err
	case err != nil:
		return fmt.Errorf("revoke a token: %w", err)
	}
	t.revoked = true
	c.tally.acknowledged("revoke a token")
	return nil
}

// check compares the server's tokens and galleries with what was acknowledged. A token that was
// revoked must stay so.
func (c *crashOffice) check(ctx context.Context, _ crashAPI, view *crashView) error {
	if c.unsettled != nil {
		c.unsettled(view)
		c.unsettled = nil
	}
	if err := c.checkTokens(ctx, view); err != nil {
		return err
	}
	for id, stage := range c.galleries {
		students, there := view.galleries[id]
		switch {
		case there != (stage == galleryMade || stage == galleryFilled):
			return fmt.Errorf("gallery %s: there %v, and it is at stage %d", id, there, stage)
		case there && students != stage-galleryMade:
			return fmt.Errorf("gallery %s has %d students, and it is at stage %d", id, students, stage)
		}
		if stage != galleryFilled {
			continue
		}
		a, err := askServer(ctx, c.at(id, c.secret).attendance.Identify, &pb.IdentifyRequest{Image: c.picture.jpeg})
		if err != nil {
			return err
		}
		c.tally.identified()
		if a.GetStudentId() != "student" {
			return fmt.Errorf("gallery %s: its student is not recognised: %v", id, a.GetVerdict())
		}
	}
	for id := range view.galleries {
		if _, made := c.galleries[id]; !made && !slices.Contains(crashGalleries, id) {
			return fmt.Errorf("gallery %s is there, and nobody made it", id)
		}
	}
	return nil
}

func (c *crashOffice) checkTokens(ctx context.Context, view *crashView) error {
	there := make(map[string]*pb.Token)
	for _, t := range view.tokens {
		if there[t.GetName()] != nil {
			return fmt.Errorf("%s is there twice", t.GetName())
		}
		there[t.GetName()] = t
	}
	for name := range there {
		if c.tokens[name] == nil && name != benchTokenName && name != crashOfficeToken {
			return fmt.Errorf("%s is there, and nobody made it", name)
		}
	}
	for name, t := range c.tokens {
		revoked := there[name].GetRevoked() != nil
		switch {
		case there[name].GetTokenId() != t.id:
			return fmt.Errorf("%s is not there", name)
		case t.perhapsRevoked && !t.revoked:
			c.tally.settled(revoked)
			t.revoked, t.perhapsRevoked = revoked, false
		case revoked != t.revoked:
			return fmt.Errorf("%s: revoked %v, must be %v", name, revoked, t.revoked)
		}
		if t.secret == "" {
			continue // nobody got it
		}
		_, err := askServer(ctx, c.at("", t.secret).gallery.ListStudents, &pb.ListStudentsRequest{PageSize: 1})
		if errors.Is(err, errUnknown) {
			return err
		}
		if refused := connect.CodeOf(err) == connect.CodeUnauthenticated; err != nil && !refused || refused != t.revoked {
			return fmt.Errorf("%s was revoked: %v; and a call with it: %w", name, t.revoked, err)
		}
	}
	return nil
}
