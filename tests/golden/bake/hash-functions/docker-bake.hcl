target "default" {
  args = { A = md5("x"), B = sha256("x"), C = base64encode("x y"), D = urlencode("a b/c"), E = uuidv5("dns", "example.com"), F = sha1("x"), G = base64decode("eA==") }
}
