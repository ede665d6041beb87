package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"contactsync/consent/audit"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/personv4"
)

func TestCallersOfDeprecatedContractsAreMetrics(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none") // a call that fails is a call
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	const system, address = "SE2321000016-SYS1", "SE165565594230-1000"
	register, err := mockregister.New(mockregister.Config{AuditKey: audit.DevelopmentKey(), Pool: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler), LogicalAddress: address,
		Access: mockregister.MayAll(system)})
	if err != nil {
		t.Fatal(err)
	}
	served := contracttest.Serve(t, register.Handler())
	client := served.ClientV3(t, system, address, false)
	for range 2 {
		if _, err := client.Get(t.Context(), personv4.ID{Root: personv4.RootPersonnummer, Extension: "201701012393"}); err == nil {
			t.Fatal("there is no database, and there is an answer")
		}
	}
	metrics := prometheus.NewPedanticRegistry()
	metrics.MustRegister(newDeprecatedCalls(register))
	families, err := metrics.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 1 {
		t.Fatalf("error %v, metrics %v", err, families)
	}
	labels := map[string]string{}
	for _, pair := range families[0].GetMetric()[0].GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	want := map[string]string{"contract": "GetPersonContactInformationUnrestricted", "major": "3", "caller": system}
	if diff := cmp.Diff(want, labels); diff != "" || families[0].GetMetric()[0].GetCounter().GetValue() != 2 {
		t.Errorf("%v (-want +got):\n%s", families[0], diff)
	}
}
