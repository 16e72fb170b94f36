target "default" {
  args = { A = regex_replace("a.b/c", "[^a-z0-9]", "-"), B = regex("[0-9]+", "v12"), C = length(regexall("a", "banana")), D = regex("^(\\d+)\\.(\\d+)", "1.22.3")[1], E = regex_replace("v1.2.3", "^v(\\d+)\\..*$", "$1") }
}
