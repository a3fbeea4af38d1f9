"""Asks one scanner about file after file: reads a path a line, answers `caught`, `clean` or `none` and why.

Only calls that read: nothing is loaded. A verdict is what the scanner's own command would exit with: 1 is caught, 0 clean,
anything else (an error, a kind of file it does not know) none.
"""
import json
import logging
import os
import sys

logging.disable(logging.CRITICAL)


def picklescan():
    from picklescan.scanner import scan_file_path

    def scan(path):
        result = scan_file_path(path)
        if result.scan_err:
            return 2
        return 0 if result.issues_count == 0 else 1

    return scan


def modelscan():
    from modelscan.modelscan import ModelScan

    def scan(path):
        scanner = ModelScan()
        scanner.scan(path)
        # In the order of its cli.py.
        if not scanner.scanned:
            return 3
        if scanner.errors:
            return 2
        return 1 if scanner.issues.all_issues else 0

    return scan


def fickling():
    import zipfile
    from fickling.analysis import Severity, check_safety
    from fickling.fickle import StackedPickle
    from fickling.loader import scan_zip_archive

    def scan(path):
        if zipfile.is_zipfile(path):
            results = list(scan_zip_archive(path, graceful=True).values())
            if any(result.severity > Severity.LIKELY_SAFE for result in results):
                return 1
            return 0 if results else 3
        with open(path, "rb") as file:
            try:
                stacked = StackedPickle.load(file, fail_on_decode_error=False)
            except Exception:
                return 2
        if len(stacked) == 0:
            return 2
        safe = True
        for pickled in stacked:
            safe = safe and check_safety(pickled).severity <= Severity.LIKELY_SAFE
        return 0 if safe else 1

    return scan


def modelaudit():
    from modelaudit.core import scan_model_directory_or_file
    from modelaudit.core_results import determine_exit_code

    return lambda path: determine_exit_code(scan_model_directory_or_file(path))


WORDS = {0: "clean", 1: "caught"}


def main():
    # Scanners print; the answers have a channel of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    scan = {"picklescan": picklescan, "modelscan": modelscan, "fickling": fickling, "modelaudit": modelaudit}[sys.argv[1]]()
    for line in sys.stdin:
        try:
            code = scan(line.rstrip("\n"))
            said = {"verdict": WORDS.get(code, "none"), "why": f"exit code {code}"}
        except BaseException as error:
            said = {"verdict": "none", "why": type(error).__name__}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


main()
