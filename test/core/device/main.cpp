// device_tests [parts of names]: runs the tests on the device that it was linked with, all or those whose
// names contain one of them.
#include "check.h"
#include "device/test_device.h"

int main(int argc, char** argv) {
  using namespace adaptive::test;
  openTestDevice();
  return runTests({argv + 1, argv + argc}, "device tests", testDeviceName(), &messageOfLibtorch);
}
