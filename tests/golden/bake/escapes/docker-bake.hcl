target "default" {
  args = {
    A = "$${x}"
    B = "%%{y}"
    C = "a\"b\\c\t\u00e9"
    D = "$x $(y) %z"
  }
  annotations = ["k=$${v}"]
}
