package sns

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"cirro/internal/store"
)

// authority signs messages, with one key for the platform. The certificate that proves it is served over HTTP.
type authority struct {
	store store.Store
	base  string // the platform's address; "" for the one that each subscriber used

	once     sync.Mutex
	key      *rsa.PrivateKey
	certPEM  []byte
	filename string
}

// signingKey is the record of the key and its certificate.
type signingKey struct {
	Key         []byte `json:"key"`         // PKCS #1
	Certificate []byte `json:"certificate"` // DER
}

var signingKeyKey = store.Key("sns", "signing-key")

const certificateLife = 20 * 365 * 24 * time.Hour

// ready reads the key, or makes it where there is none.
func (a *authority) ready(ctx context.Context, now time.Time) error {
	a.once.Lock()
	defer a.once.Unlock()
	if a.key != nil {
		return nil
	}
	var record signingKey
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		record, _, err = store.GetRecord[signingKey](r, signingKeyKey)
		return err
	})
	if err == nil && record.Key == nil {
		record, err = a.make(ctx, now)
	}
	if err != nil {
		return err
	}
	if a.key, err = x509.ParsePKCS1PrivateKey(record.Key); err != nil {
		return fmt.Errorf("sns: the key that signs messages: %w", err)
	}
	a.certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: record.Certificate})
	sum := sha256.Sum256(record.Certificate)
	a.filename = "SimpleNotificationService-" + hex.EncodeToString(sum[:16]) + ".pem"
	return nil
}

// make makes a key and keeps it, unless another process was faster.
func (a *authority) make(ctx context.Context, now time.Time) (record signingKey, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return record, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return record, err
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, DNSNames: []string{"sns.amazonaws.com"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return record, err
	}
	made := signingKey{Key: x509.MarshalPKCS1PrivateKey(key), Certificate: der}
	err = a.store.Update(ctx, func(tx store.Tx) error {
		var found bool
		if record, found, err = store.GetRecord[signingKey](tx, signingKeyKey); err != nil || found {
			return err
		}
		record = made
		return store.SetRecord(tx, signingKeyKey, made)
	})
	return record, err
}

// sign signs a text, as version 1 with SHA-1 and as version 2 with SHA-256.
func (a *authority) sign(version, text string) (string, error) {
	var signature []byte
	var err error
	if version == signatureSHA256 {
		sum := sha256.Sum256([]byte(text))
		signature, err = rsa.SignPKCS1v15(nil, a.key, crypto.SHA256, sum[:])
	} else {
		sum := sha1.Sum([]byte(text))
		signature, err = rsa.SignPKCS1v15(nil, a.key, crypto.SHA1, sum[:])
	}
	return base64.StdEncoding.EncodeToString(signature), err
}

// url is where the certificate is.
func (a *authority) url(base string) string { return base + "/" + a.filename }

// matches reports whether a request is for the certificate.
func (a *authority) matches(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/SimpleNotificationService-") && strings.HasSuffix(r.URL.Path, ".pem")
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/"+a.filename {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(a.certPEM) // a client that is gone needs none
}
