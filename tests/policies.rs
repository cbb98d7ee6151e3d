//! The shipped policies, their cases, and what the load gate refuses.

use mlfence::policy::Bundle;

#[test]
fn shipped_policies_pass_the_gate() {
    match Bundle::shipped() {
        Ok(bundle) => println!("{bundle:?}"),
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"));
        }
    }
}
