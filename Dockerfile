# Builds the one static binary and runs it, unprivileged, on an empty image: docker build -t contactsync .
# Subcommands that need only what they are told by flags and variables run in it. `dev` does not: it starts PostgreSQL's
# programs, which an empty image has not.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /contactsync ./cmd/contactsync

FROM scratch
COPY --from=build /contactsync /contactsync
USER 65532:65532
ENTRYPOINT ["/contactsync"]
