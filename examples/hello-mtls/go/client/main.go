// A client that speaks mutual TLS: it proves who it is and checks whom it talks to, with the files as they are now.
// Checklist: TLS 1.2 and later · own certificate sent · server verified by root and by name · rotates without a restart
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"hello-mtls/tlsfiles"
)

const maxAnswer = 4 << 10

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
	interval, err := intervalOf(os.Getenv("INTERVAL_MS"))
	if err != nil {
		return err
	}
	url := os.Getenv("HELLO_MTLS_URL")
	if url == "" {
		url = "https://hello-mtls.default.svc.cluster.local"
	}

	var client atomic.Pointer[http.Client]
	client.Store(newClient(files.Current()))
	go files.Watch(ctx, func(set *tlsfiles.Set) {
		// A request under way finishes on the old connection, which then idles and closes.
		client.Swap(newClient(set)).CloseIdleConnections()
	})

	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		answer, err := greet(ctx, client.Load(), url)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			answer = "failed: " + err.Error()
		}
		fmt.Printf("%s: %s\n", time.Now().UTC().Format(time.RFC3339), answer)
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// newClient makes connections with this set of files, and no others.
func newClient(set *tlsfiles.Set) *http.Client {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	address := os.Getenv("HELLO_MTLS_ADDRESS")
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{
				MinVersion:   tls.VersionTLS12,
				Certificates: []tls.Certificate{set.Certificate},
				RootCAs:      set.Roots,
			},
			// Where the server is, if its name is not in DNS: connect there, verify the name all the same.
			DialContext: func(ctx context.Context, network, target string) (net.Conn, error) {
				if _, port, err := net.SplitHostPort(target); err == nil && address != "" {
					target = net.JoinHostPort(address, port)
				}
				return dialer.DialContext(ctx, network, target)
			},
			IdleConnTimeout:     30 * time.Second,
			TLSHandshakeTimeout: 5 * time.Second,
		},
	}
}

func greet(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return strings.TrimSpace(string(answer)), err
}

func intervalOf(text string) (time.Duration, error) {
	if text == "" {
		return 5 * time.Second, nil
	}
	ms, err := strconv.Atoi(text)
	if err != nil || ms < 1 {
		return 0, fmt.Errorf("INTERVAL_MS: got %q, but it takes a number of milliseconds, such as 5000", text)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
