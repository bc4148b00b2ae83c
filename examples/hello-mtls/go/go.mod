module hello-mtls

go 1.24
