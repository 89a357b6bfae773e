from pet2rep_eval.cli import main

main()
