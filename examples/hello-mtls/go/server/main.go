// A server that speaks mutual TLS: only clients with a certificate of our own CA get in.
// Checklist: TLS 1.2 and later · client certificate required and verified · certificate and roots rotate without a restart
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"hello-mtls/tlsfiles"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	files, err := tlsfiles.Open()
	if err != nil {
		return err
	}
	go files.Watch(ctx, func(*tlsfiles.Set) { fmt.Println(now() + ": certificate renewed") })

	server := &http.Server{
		Handler:           http.HandlerFunc(greet),
		TLSConfig:         configFor(files),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(withoutProbes{}, "", 0),
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("LISTEN_ADDRESS"), port()))
	if err != nil {
		return err
	}
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)

	// Requests under way are answered before the end.
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		limited, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(limited)
	}()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// configFor gives each connection the files as they are now.
func configFor(files *tlsfiles.Files) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			set := files.Current()
			return &tls.Config{
				MinVersion:   tls.VersionTLS12,
				Certificates: []tls.Certificate{set.Certificate},
				ClientAuth:   tls.RequireAndVerifyClientCert,
				ClientCAs:    set.Roots,
				// A resumed session would go by the roots of before.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

func greet(response http.ResponseWriter, request *http.Request) {
	certificate := request.TLS.PeerCertificates[0]
	name := certificate.Subject.CommonName
	if name == "" && len(certificate.DNSNames) > 0 {
		name = certificate.DNSNames[0] // longer than a common name may be
	}
	fmt.Fprintf(response, "Hello, %s!\n", name)
}

// withoutProbes logs who was refused and why, but not kubelet, which connects and says nothing.
type withoutProbes struct{}

func (withoutProbes) Write(line []byte) (int, error) {
	if bytes.HasSuffix(line, []byte(": EOF\n")) {
		return len(line), nil
	}
	fmt.Fprintf(os.Stderr, "%s: %s", now(), line)
	return len(line), nil
}

func port() string {
	if port := os.Getenv("PORT"); port != "" {
		return port
	}
	return "443"
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }
