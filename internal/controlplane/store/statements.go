// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql/driver"
	"errors"
)

// maxStatements is how many statements a connection keeps: kine has about twenty.
const maxStatements = 32

// keeping is a connector whose connections keep their prepared statements: parsing and
// planning take longer than most statements run.
type keeping struct{ driver.Connector }

// Connect implements [driver.Connector].
func (k keeping) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := conn.(connection)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver lacks a method"), conn.Close())
	}
	return &keptConn{connection: full, kept: map[string]statement{}}, nil
}

// connection is the interface of the driver's connections.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// statement is the interface of the driver's statements.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keptConn is a connection; one goroutine at a time uses it.
type keptConn struct {
	connection
	kept map[string]statement // unused statements, by text
}

// Close implements [driver.Conn].
func (c *keptConn) Close() error {
	var errs []error
	for text, s := range c.kept {
		errs = append(errs, s.Close())
		delete(c.kept, text)
	}
	return errors.Join(append(errs, c.connection.Close())...)
}

// take returns an unused statement. The error is [errors.ErrUnsupported] if there can
// be none.
func (c *keptConn) take(ctx context.Context, text string) (statement, error) {
	if s, ok := c.kept[text]; ok {
		delete(c.kept, text) // its rows may be open during the same query
		return s, nil
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s, ok := prepared.(statement)
	if !ok {
		return nil, errors.Join(errors.ErrUnsupported, prepared.Close())
	}
	return s, nil
}

// give keeps a statement after its use, which ended with err. SQLite returns err again
// when the statement is closed.
func (c *keptConn) give(text string, s statement, err error) {
	_, another := c.kept[text]
	if err != nil || another || len(c.kept) >= maxStatements {
		_ = s.Close()
		return
	}
	c.kept[text] = s
}

// ExecContext implements [driver.ExecerContext].
func (c *keptConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	c.give(text, s, err)
	return result, err
}

// QueryContext implements [driver.QueryerContext].
func (c *keptConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		c.give(text, s, err)
		return nil, err
	}
	return &keptRows{Rows: rows, conn: c, text: text, statement: s}, nil
}

// keptRows keep the statement when they are closed.
type keptRows struct {
	driver.Rows
	conn      *keptConn
	text      string
	statement statement
}

// Close implements [driver.Rows].
func (r *keptRows) Close() error {
	if r.statement == nil {
		return nil
	}
	err := r.Rows.Close()
	s := r.statement
	r.statement = nil
	r.conn.give(r.text, s, err)
	return err
}
