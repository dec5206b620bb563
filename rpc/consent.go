package rpc

import (
	"context"
	"strings"

	"rollcall/gallery"
	pb "rollcall/proto/rollcall/v1"
)

func (s galleryService) SetConsent(ctx context.Context, req *pb.SetConsentRequest) (*pb.SetConsentResponse, error) {
	student, erased, err := galleryOf(ctx).SetConsent(ctx, req.GetStudentId(), consentOf(req.GetConsent()))
	if err != nil {
		return nil, err
	}
	resp := &pb.SetConsentResponse{Student: studentPB(student)}
	if erased.Digest != "" {
		if erased, err = s.Eraser.Receipt(ctx, recordOf(ctx).journal.Gallery(), erased); err != nil {
			return nil, err
		}
		resp.Receipt = s.receipt(erased)
	}
	return resp, nil
}

func (s galleryService) SetDeleteAfter(ctx context.Context, req *pb.SetDeleteAfterRequest) (*pb.SetDeleteAfterResponse, error) {
	student, err := galleryOf(ctx).SetDeleteAfter(ctx, req.GetStudentId(), gallery.Date(req.GetDeleteAfter()))
	if err != nil {
		return nil, err
	}
	return &pb.SetDeleteAfterResponse{Student: studentPB(student)}, nil
}

const consentPrefix = "CONSENT_STATE_"

func consentOf(c *pb.Consent) gallery.Consent {
	state := strings.ToLower(strings.TrimPrefix(c.GetState().String(), consentPrefix))
	return gallery.Consent{State: gallery.ConsentState(state), Reference: c.GetReference(), Date: gallery.Date(c.GetDate())}
}

func consentPB(c gallery.Consent) *pb.Consent {
	if c == (gallery.Consent{}) {
		return nil
	}
	state := pb.ConsentState_value[consentPrefix+strings.ToUpper(string(c.State))]
	return &pb.Consent{State: pb.ConsentState(state), Reference: c.Reference, Date: string(c.Date)}
}
