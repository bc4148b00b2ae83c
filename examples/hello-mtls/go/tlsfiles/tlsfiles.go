// Package tlsfiles reads what autocert gives every container of an annotated pod, and notices that it was renewed.
package tlsfiles

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const (
	defaultDir = "/var/run/autocert.step.sm"
	maxSize    = 1 << 20 // of a file: chains and roots are a few kilobytes
	interval   = time.Second
)

// Set is one consistent set of files: the key matches the certificate.
type Set struct {
	Certificate tls.Certificate // with its intermediate
	Roots       *x509.CertPool  // one or more; two while one root replaces the other
}

// Files has the set as it is now. Safe for use by many goroutines.
type Files struct {
	dir     string
	version string
	current atomic.Pointer[Set]
}

// Open reads the files of the folder CERTIFICATE_DIR, by default autocert's own.
func Open() (*Files, error) {
	dir := os.Getenv("CERTIFICATE_DIR")
	if dir == "" {
		dir = defaultDir
	}
	files := &Files{dir: dir}
	_, err := files.reload()
	return files, err
}

// Current gives the set to use for the next handshake.
func (f *Files) Current() *Set { return f.current.Load() }

// Watch looks every second whether there is another set, and tells renewed of it. It ends with the context.
// What cannot be read is logged once, and the set from before stays in use. Call it once.
func (f *Files) Watch(ctx context.Context, renewed func(*Set)) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		changed, err := f.reload()
		if err != nil && err.Error() != said {
			said = err.Error()
			log.Printf("certificate not read anew: %v", err)
		}
		if changed {
			said = ""
			renewed(f.Current())
		}
	}
}

// reload reads the set if it is another one than before.
func (f *Files) reload() (changed bool, err error) {
	// `..data` names one set, and is renamed to the next: all three files are read through what it names now.
	dir, err := filepath.EvalSymlinks(filepath.Join(f.dir, "..data"))
	if errors.Is(err, fs.ErrNotExist) {
		dir = f.dir // plain files, not autocert's
	} else if err != nil {
		return false, err
	}
	version, err := versionOf(dir)
	if err != nil || version == f.version {
		return false, err
	}
	set, err := read(dir)
	if err != nil {
		return false, err // a set that was replaced meanwhile is gone: the next look finds the new one
	}
	f.version = version
	f.current.Store(set)
	return true, nil
}

// versionOf tells sets apart without reading them.
func versionOf(dir string) (string, error) {
	version := dir
	for _, name := range []string{"site.crt", "site.key", "root.crt"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		version += fmt.Sprintf(" %d %d", info.ModTime().UnixNano(), info.Size())
	}
	return version, nil
}

func read(dir string) (*Set, error) {
	var pem [3][]byte
	for i, name := range []string{"site.crt", "site.key", "root.crt"} {
		content, err := readFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		pem[i] = content
	}
	certificate, err := tls.X509KeyPair(pem[0], pem[1])
	if err != nil {
		return nil, fmt.Errorf("%s: site.crt and site.key: %w", dir, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem[2]) {
		return nil, fmt.Errorf("%s: root.crt has no certificate", dir)
	}
	return &Set{Certificate: certificate, Roots: roots}, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err == nil && len(content) > maxSize {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxSize)
	}
	return content, err
}
