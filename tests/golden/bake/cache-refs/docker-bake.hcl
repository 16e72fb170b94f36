target "default" {
  cache-from = ["a/b:c,d/e:f", "", "type=local,src=x"]
}
