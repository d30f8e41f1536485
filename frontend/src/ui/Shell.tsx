import { Link, Outlet } from "react-router";
import { AccountMenu } from "./AccountMenu";
import { Logo } from "./Logo";
import { SaveStatus } from "./SaveStatus";
import { StaleNote } from "./StaleNote";
import { useJournalStatus } from "./workbench";

/** Frame of all pages but the editor. */
export function Shell() {
  const journal = useJournalStatus();
  const waiting = journal.waiting > 0 || journal.problems.length > 0;
  return (
    <>
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <header className="header">
        <Link to="/" className="brand">
          <Logo size={26} />
          Anymask
        </Link>
        <span className="grow" />
        {waiting && <SaveStatus />}
        <AccountMenu />
      </header>
      <StaleNote />
      <Outlet />
    </>
  );
}
