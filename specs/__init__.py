"""The zoo: `.cnn` files by task, shipped with the package.  `cnnc specs` lists them."""
