// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql/driver"
)

// turns lets one connection at a time write, in the order in which they ask.
// SQLite's own wait is a poll that sleeps for up to 100 ms: who begins the next
// transaction at once, as a compaction does, overtakes all that sleep.
type turns chan struct{} // holds a token while one writes

func newTurns() turns { return make(turns, 1) }

// take waits for the turn; the error is that of ctx.
func (t turns) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turns) give() { <-t }

// BeginTx implements [driver.ConnBeginTx]. Transactions are for writing: they take
// SQLite's lock at once (see connectionParams).
func (c *keptConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if err := c.turns.take(ctx); err != nil {
		return nil, err
	}
	tx, err := c.connection.BeginTx(ctx, options)
	if err != nil {
		c.turns.give()
		return nil, err
	}
	c.writing = true
	return &turnTx{Tx: tx, conn: c}, nil
}

// turnTx is a transaction, whose end is that of a turn.
type turnTx struct {
	driver.Tx
	conn *keptConn
}

// Commit implements [driver.Tx].
func (t *turnTx) Commit() error {
	defer t.end()
	return t.Tx.Commit()
}

// Rollback implements [driver.Tx].
func (t *turnTx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}

func (t *turnTx) end() {
	if t.conn.writing {
		t.conn.writing = false
		t.conn.turns.give()
	}
}
