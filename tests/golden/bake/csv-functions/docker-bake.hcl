target "default" {
  args = { for r in csvdecode("k,v\na,1\nb,2"): r.k => r.v }
}
