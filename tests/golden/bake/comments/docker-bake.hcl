# one
// two
/* three
   four */
target "default" { # five
  tags = [ // six
    "a", /* seven */ "b", # eight
  ]
}
