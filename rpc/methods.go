package rpc

import (
	"fmt"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "rollcall/proto/rollcall/v1"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// limit is how large the message of a request may be, both as sent and unpacked.
type limit struct {
	bytes  int64
	advice string
}

func (l limit) exceeded() *connect.Error {
	return newError(connect.CodeInvalidArgument, "REQUEST_TOO_LARGE",
		fmt.Sprintf("the request has more than the allowed %d bytes: %s", l.bytes, l.advice), nil)
}

// rollCallBytes holds all crops of one class photo.
const rollCallBytes = 64 << 20

var (
	// noPhoto holds the longest lists of ids.
	noPhoto = limit{12 << 20, "name fewer at a time"}
	// onePhoto holds one of 16 MiB: 21.3 MiB as base64.
	onePhoto = limit{23 << 20, "a photo may have at most 16 MiB; save it in a lower quality"}
	// manyImages holds the crops of a roll call, or the frames of a burst.
	manyImages = limit{rollCallBytes, "the images of a call may have about 45 MiB in all; send smaller ones"}
	// noImage holds a request for the journal, health checks or reflection.
	noImage = limit{64 << 10, "send only the fields that the method takes"}
)

// method is what is known of a call before its body is read.
type method struct {
	limit   limit
	stream  bool                           // the client may send for as long as it likes
	answers bool                           // one message is answered by many
	get     bool                           // it is offered over GET
	server  bool                           // it is about the server, and not about one gallery
	queues  bool                           // it waits in the embedder's queue before anything is done
	input   protoreflect.MessageDescriptor // of the contract's calls
}

// methods are all calls, by their paths.
var methods = sync.OnceValue(func() map[string]method {
	const health, reflection, alpha = "/" + grpchealth.HealthV1ServiceName, "/" + grpcreflect.ReflectV1ServiceName, "/" + grpcreflect.ReflectV1AlphaServiceName
	all := map[string]method{
		health + "/Check":                    {limit: noImage},
		health + "/Watch":                    {limit: noImage, stream: true},
		reflection + "/ServerReflectionInfo": {limit: noImage, stream: true},
		alpha + "/ServerReflectionInfo":      {limit: noImage, stream: true},
	}
	for _, file := range []protoreflect.FileDescriptor{pb.File_rollcall_v1_attendance_proto, pb.File_rollcall_v1_gallery_proto, pb.File_rollcall_v1_journal_proto, pb.File_rollcall_v1_model_proto, pb.File_rollcall_v1_token_proto, pb.File_rollcall_v1_backup_proto, pb.File_rollcall_v1_export_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				options, _ := m.Options().(*descriptorpb.MethodOptions)
				path := fmt.Sprintf("/%s/%s", service.FullName(), m.Name())
				all[path] = method{
					limit:   limitOf(path),
					stream:  m.IsStreamingClient(),
					answers: m.IsStreamingServer() && !m.IsStreamingClient(),
					get:     options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS,
					server:  aboutServer[path] || aboutServer[string(service.FullName())],
					queues:  queues[path],
					input:   m.Input(),
				}
			}
		}
	}
	return all
})

// aboutServer are the services and calls that are not about one gallery.
var aboutServer = map[string]bool{
	rollcallv1connect.TokenServiceName:                     true,
	rollcallv1connect.BackupServiceName:                    true,
	rollcallv1connect.GalleryServiceListGalleriesProcedure: true,
	rollcallv1connect.GalleryServiceCreateGalleryProcedure: true,
	rollcallv1connect.GalleryServiceDeleteGalleryProcedure: true,
}

// queues are the calls that begin with one crop.
var queues = map[string]bool{
	rollcallv1connect.AttendanceServiceEmbedProcedure:    true,
	rollcallv1connect.AttendanceServiceIdentifyProcedure: true,
	rollcallv1connect.AttendanceServiceVerifyProcedure:   true,
}

func limitOf(path string) limit {
	switch path {
	case rollcallv1connect.AttendanceServiceRollCallProcedure, rollcallv1connect.AttendanceServiceIdentifyBurstProcedure:
		return manyImages
	case rollcallv1connect.AttendanceServiceDetectProcedure, rollcallv1connect.AttendanceServiceEmbedProcedure,
		rollcallv1connect.AttendanceServiceIdentifyProcedure, rollcallv1connect.AttendanceServiceVerifyProcedure,
		rollcallv1connect.GalleryServiceEnrollStreamProcedure:
		return onePhoto
	}
	if strings.HasPrefix(path, journalCalls) {
		return noImage
	}
	return noPhoto
}

// procedureLabel is the label of a call in the metrics: its path, or "unknown" if it is
// not one of ours, so that clients cannot make labels. For health checks and reflection
// it is the name of the service.
func procedureLabel(path string) string {
	if _, known := methods()[path]; !known {
		return "unknown"
	}
	if strings.HasPrefix(path, "/grpc.") {
		return path[1:strings.LastIndexByte(path, '/')]
	}
	return path
}
