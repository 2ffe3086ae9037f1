// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/docker/go-units"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// layouts are the formats of a time that Docker's commands read, those without a zone
// in local time.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02Z07:00",
	"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02T15", "2006-01-02",
}

// ParseTime reads a time as Docker's --since and --until do: a duration before now, a
// Unix time with or without a fraction, or a time of RFC 3339, of which a part may be
// missing at the end.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if before, err := time.ParseDuration(text); err == nil {
		return now.Add(-before), nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil { //nolint:gosmopolitan // as the docker command
			return t, nil
		}
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1<<40 {
		whole, fraction := math.Modf(seconds)
		return time.Unix(int64(whole), int64(fraction*1e9)), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time: use a duration such as 10m, RFC 3339 such as 2026-01-02T15:04:05Z, or Unix seconds", text)
}

// ago formats how long before now a time is.
func ago(now time.Time, at *metav1.Time) string {
	return units.HumanDuration(now.Sub(timeOf(at))) + " ago"
}

// timeOf returns a time of an object: the Unix epoch if it has none, as Docker's API.
func timeOf(at *metav1.Time) time.Time {
	if at == nil {
		return time.Unix(0, 0)
	}
	return time.Unix(at.Unix(), 0)
}
