target "a" {
  secret = ["id=x,env=X"]
  no-cache-filter = ["s"]
}
target "b" {
  inherits = ["a"]
  secret = ["id=y,env=Y", "id=x,env=Z"]
}
target "default" {
  inherits = ["b"]
  no-cache-filter = ["t"]
}
