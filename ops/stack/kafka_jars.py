"""Apache Kafka's jars and the Java that runs them, for tests and fault runs on a real broker.

The jars come from Maven Central through the machine's own `mvn` and its settings, once per user (about 55 MB), into
`<cache>/kafka-<version>/`. The folder is filled under another name and renamed when whole, so a killed download
leaves nothing half done and two processes that race end with one folder.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ops.stack.errors import PartUnavailable
from ops.stack.places import cache_dir

KAFKA_VERSION = "4.2.0"
JAVA_VERSION = 17
DOWNLOAD_SECONDS = 600.0
INSTALL_JAVA = "install Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)"
INSTALL_MAVEN = "install Apache Maven (Debian: apt-get install maven)"

# slf4j-simple sends the broker's log to standard error: the Kafka jars alone bring no logger for slf4j.
ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
    ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
    ("org.slf4j", "slf4j-simple", "1.7.36"),
)
POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>leadbus</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""


def why_not(cache: Path | None = None) -> str | None:
    """Why real Kafka cannot be had on this machine, as a sentence; None when it can. Starts no download."""
    try:
        find_java()
        if not _is_whole(_folder(cache)):
            _find_maven()
    except PartUnavailable as error:
        return str(error)
    return None


def find_java() -> Path:
    """The `java` of JAVA_HOME or PATH; PartUnavailable when there is none of version 17 or newer."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    if found is None:
        raise PartUnavailable(f"Apache Kafka needs Java and there is none: {INSTALL_JAVA}")
    banner = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', banner)
    if version is None or int(version[1]) < JAVA_VERSION:
        raise PartUnavailable(f"Apache Kafka needs Java {JAVA_VERSION} and {found} is older: {INSTALL_JAVA}")
    return Path(found)


def fetch(cache: Path | None = None) -> Path:
    """The folder with Kafka's jars, downloaded when this is the first call of this user.

    PartUnavailable when Maven is missing or could not download, with what Maven said.
    """
    folder = _folder(cache)
    if _is_whole(folder):
        return folder
    maven = _find_maven()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        pom = Path(temporary) / "pom.xml"
        pom.write_text(POM.format(dependencies="\n".join(_dependency(*each) for each in ARTIFACTS)))
        jars = Path(temporary) / "jars"
        argv = [maven, "-B", "-ntp", "-q", "-f", str(pom), "dependency:copy-dependencies"]
        argv += [f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise PartUnavailable(f"Maven did not bring Kafka's jars within {DOWNLOAD_SECONDS:.0f} s") from error
        if done.returncode != 0 or not _is_whole(jars):
            words = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise PartUnavailable(f"Maven could not bring Kafka's jars (exit code {done.returncode}):\n{words}")
        try:
            jars.rename(folder)
        except OSError:
            # Another process was first; its folder is as good as ours.
            if not _is_whole(folder):
                raise
    return folder


def _folder(cache: Path | None) -> Path:
    return (cache_dir() if cache is None else cache) / f"kafka-{KAFKA_VERSION}"


def _is_whole(folder: Path) -> bool:
    return all((folder / f"{artifact}-{version}.jar").is_file() for _, artifact, version in ARTIFACTS)


def _find_maven() -> str:
    found = shutil.which("mvn")
    if found is None:
        raise PartUnavailable(f"Kafka's jars are downloaded with Maven and there is no mvn: {INSTALL_MAVEN}")
    return found


def _dependency(group: str, artifact: str, version: str) -> str:
    names = f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
    return f"    <dependency>{names}</dependency>"
