target "default" {
  args = { A = formatdate("YYYY-MM-DD", "2026-01-31T08:09:10Z"), B = timeadd("2026-01-31T00:00:00Z", "24h"), C = formattimestamp("YYYYMMDD-hhmmss", 1700000000), D = unixtimestampparse(0).month_name }
}
