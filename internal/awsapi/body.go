package awsapi

// Verified is what the streaming body of an input implements where it is compared with checksums while it is
// read. Checksums are those that the client gave, in base64 by their headers' names in lower case
// ("x-amz-checksum-crc32"); they are complete, and right, once the body was read to its end.
type Verified interface {
	Checksums() map[string]string
}
