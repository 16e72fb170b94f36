target "default" {
  labels = {
    text = <<EOT
one
two
EOT
    other = "x"
  }
}
