# Nothing is built from here. This file tells npm and other tools that the package is a native addon; sources, flags
# and libraries are listed in CMakeLists.txt alone, and scripts/install.mjs (the `install` script of package.json,
# which npm prefers to node-gyp) builds them through cmake-js.
{
  "targets": [{ "target_name": "adaptive_trainer", "type": "none" }]
}
