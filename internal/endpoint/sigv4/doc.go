// Package sigv4 checks AWS signatures, version 4: of headers, of presigned URLs, and of the chunks of a
// streamed body. It answers in the words of AWS. It knows no keys: whoever asks brings the secret.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
package sigv4
