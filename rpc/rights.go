package rpc

import (
	"slices"

	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	"rollcall/access"
	"rollcall/proto/rollcall/v1/rollcallv1connect"
)

// right says who may make a call, or see a page. An admin may do everything. The zero
// right is that of admins alone.
type right struct {
	everybody bool // also without a token
	roles     []access.Role
}

func (r right) allows(role access.Role) bool {
	return r.everybody || role == access.Admin || slices.Contains(r.roles, role)
}

var (
	everybody = right{everybody: true}
	withToken = right{roles: access.Roles}
	atTheDoor = right{roles: []access.Role{access.CheckIn, access.Enroll}}
	checkIns  = right{roles: []access.Role{access.CheckIn, access.Register, access.Enroll}}
	register  = right{roles: []access.Role{access.Register}}
	office    = right{roles: []access.Role{access.Enroll}}
	lists     = right{roles: []access.Role{access.Register, access.Enroll}}
	adminOnly = right{}
)

// rights are those of all calls and pages, by their paths. A test holds that each has its
// row; what has none is for admins.
//
// Nobody but enroll and admin may enrol. So only these learn whom a crop resembles that is
// refused as a duplicate.
var rights = map[string]right{
	rollcallv1connect.AttendanceServiceIdentifyProcedure:      atTheDoor,
	rollcallv1connect.AttendanceServiceVerifyProcedure:        atTheDoor,
	rollcallv1connect.AttendanceServiceIdentifyBurstProcedure: atTheDoor,
	rollcallv1connect.AttendanceServiceRollCallProcedure:      atTheDoor,
	rollcallv1connect.AttendanceServiceDetectProcedure:        atTheDoor,
	rollcallv1connect.AttendanceServiceEmbedProcedure:         office,

	rollcallv1connect.GalleryServiceEnrollStreamProcedure:         office,
	rollcallv1connect.GalleryServiceGetStudentProcedure:           office,
	rollcallv1connect.GalleryServiceListStudentsProcedure:         lists,
	rollcallv1connect.GalleryServiceListDueStudentsProcedure:      office,
	rollcallv1connect.GalleryServiceListInactiveStudentsProcedure: office,
	rollcallv1connect.GalleryServiceUpdateStudentProcedure:        office,
	rollcallv1connect.GalleryServiceDeleteStudentProcedure:        office,
	rollcallv1connect.GalleryServiceMergeStudentsProcedure:        office,
	rollcallv1connect.GalleryServiceSetConsentProcedure:           office,
	rollcallv1connect.GalleryServiceSetDeleteAfterProcedure:       office,
	rollcallv1connect.GalleryServiceListLookalikesProcedure:       office,
	rollcallv1connect.GalleryServiceGetCropProcedure:              office,
	rollcallv1connect.GalleryServiceAssignCropProcedure:           office,
	rollcallv1connect.GalleryServiceDeleteCropProcedure:           office,
	rollcallv1connect.GalleryServiceListChangesProcedure:          office,
	rollcallv1connect.GalleryServiceUndoChangeProcedure:           office,
	rollcallv1connect.GalleryServiceGetSettingsProcedure:          adminOnly,
	rollcallv1connect.GalleryServiceUpdateSettingsProcedure:       adminOnly,
	rollcallv1connect.GalleryServiceCheckConsistencyProcedure:     adminOnly,
	rollcallv1connect.GalleryServiceGetCalibrationProcedure:       adminOnly,
	rollcallv1connect.GalleryServiceUpdateCalibrationProcedure:    adminOnly,

	// Each caller is told its own galleries only.
	rollcallv1connect.GalleryServiceListGalleriesProcedure: withToken,
	rollcallv1connect.GalleryServiceCreateGalleryProcedure: adminOnly,
	rollcallv1connect.GalleryServiceDeleteGalleryProcedure: adminOnly,

	rollcallv1connect.JournalServiceRecordCheckInProcedure: checkIns,
	rollcallv1connect.JournalServiceWatchVerdictsProcedure: register,
	rollcallv1connect.JournalServiceListLinesProcedure:     register,
	rollcallv1connect.JournalServiceListDaysProcedure:      adminOnly,

	rollcallv1connect.ModelServiceListModelsProcedure: adminOnly,
	rollcallv1connect.ModelServiceGetModelProcedure:   adminOnly,

	rollcallv1connect.TokenServiceCreateTokenProcedure:       adminOnly,
	rollcallv1connect.TokenServiceListTokensProcedure:        adminOnly,
	rollcallv1connect.TokenServiceRevokeTokenProcedure:       adminOnly,
	rollcallv1connect.TokenServiceCreatePairingCodeProcedure: adminOnly,

	rollcallv1connect.BackupServiceBackupProcedure:        adminOnly,
	rollcallv1connect.ExportServiceExportGalleryProcedure: adminOnly,
	rollcallv1connect.ExportServiceExportStudentProcedure: adminOnly,
	rollcallv1connect.ExportServiceImportRecordsProcedure: adminOnly,

	"/" + grpchealth.HealthV1ServiceName + "/Check":                       everybody,
	"/" + grpchealth.HealthV1ServiceName + "/Watch":                       everybody,
	"/" + grpcreflect.ReflectV1ServiceName + "/ServerReflectionInfo":      withToken,
	"/" + grpcreflect.ReflectV1AlphaServiceName + "/ServerReflectionInfo": withToken,

	"/":          everybody,
	consolePaths: everybody, // the pages hold nothing: what they show they ask for
	"/livez":     everybody,
	"/readyz":    everybody,
	sessionPath:  everybody, // it asks for the token itself
	"/metrics":   {roles: []access.Role{access.Metrics}},
}
