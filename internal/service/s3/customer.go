package s3

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"

	"cirro/internal/awsapi"
)

// customer is a key that the customer keeps and sends along. Bodies are encrypted with it as AES-256 in counter mode,
// so that a range can be read without what is before it; whether a body is what it was, its ETag and checksum tell.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
type customer struct {
	block cipher.Block
	md5   string // base64
}

var invalidEncryptionAlgorithm = &awsapi.ErrorType{Code: "InvalidEncryptionAlgorithmError", Status: http.StatusBadRequest}

// customerOf reads the three headers of a customer's key; nil where there are none.
func customerOf(algorithm, key, digest *string) (*customer, error) {
	switch {
	case algorithm == nil && key == nil && digest == nil:
		return nil, nil
	case algorithm == nil:
		return nil, invalidArgument.New("Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.").
			With("ArgumentName", "x-amz-server-side-encryption")
	case *algorithm != "AES256":
		return nil, invalidEncryptionAlgorithm.New("The Encryption request you specified is not valid. Supported value: AES256.").
			With("ArgumentName", "x-amz-server-side-encryption").With("ArgumentValue", *algorithm)
	case key == nil:
		return nil, invalidArgument.New("Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.").
			With("ArgumentName", "x-amz-server-side-encryption")
	case digest == nil:
		return nil, invalidArgument.New("Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the secret key.").
			With("ArgumentName", "x-amz-server-side-encryption")
	}
	raw, err := base64.StdEncoding.DecodeString(*key)
	if err != nil || len(raw) != 32 {
		return nil, invalidArgument.New("The secret key was invalid for the specified algorithm.").With("ArgumentName", "x-amz-server-side-encryption")
	}
	if sum := md5.Sum(raw); base64.StdEncoding.EncodeToString(sum[:]) != *digest {
		return nil, invalidArgument.New("The calculated MD5 hash of the key did not match the hash that was provided.").
			With("ArgumentName", "x-amz-server-side-encryption")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	return &customer{block, *digest}, nil
}

// newNonce makes what a body is encrypted with besides the key.
func (c *customer) newNonce() []byte {
	if c == nil {
		return nil
	}
	nonce := make([]byte, aes.BlockSize)
	random(nonce[:8]) // the rest counts
	return nonce
}

// stream encrypts or decrypts a body from an offset on; nil without a key.
func (c *customer) stream(nonce []byte, offset int64) cipher.Stream {
	if c == nil {
		return nil
	}
	iv := append([]byte(nil), nonce...)
	binary.BigEndian.PutUint64(iv[8:], uint64(offset/aes.BlockSize))
	stream := cipher.NewCTR(c.block, iv)
	skip := make([]byte, offset%aes.BlockSize)
	stream.XORKeyStream(skip, skip)
	return stream
}

// answers are the headers that tell of the key in a reply.
func (c *customer) answers() (algorithm, digest *string) {
	if c == nil {
		return nil, nil
	}
	return new("AES256"), &c.md5
}

// opens answers what S3 does where a key is not the one that a body was encrypted with.
func (c *customer) opens(k customerKey) error {
	switch {
	case k.MD5 == "" && c == nil:
		return nil
	case k.MD5 == "":
		return invalidRequest.New("The encryption parameters are not applicable to this object.")
	case c == nil:
		return invalidRequest.New("The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.")
	case c.md5 != k.MD5:
		return accessDenied.New("Access Denied")
	}
	return nil
}

// opening is a body that is decrypted while it is read.
type opening struct {
	io.ReadCloser
	stream cipher.Stream
}

func (o opening) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	o.stream.XORKeyStream(p[:n], p[:n])
	return n, err
}
