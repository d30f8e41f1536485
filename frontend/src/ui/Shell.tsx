import { useMutation, useQueryClient } from "@tanstack/react-query";
import { KeyRound, LogOut, UserRound } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { Link, Outlet, useNavigate } from "react-router";
import { api } from "../api/endpoints";
import { Logo } from "./Logo";
import { SaveStatus } from "./SaveStatus";
import { StaleNote } from "./StaleNote";
import { useUser } from "./session";
import { useJournalStatus } from "./workbench";

/** Frame of all pages but the editor. */
export function Shell() {
  const user = useUser();
  const queries = useQueryClient();
  const journal = useJournalStatus();
  const navigate = useNavigate();
  const signOut = useMutation({
    mutationFn: api.signOut,
    onSuccess: () => queries.resetQueries(),
  });
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
        <DropdownMenu.Root modal={false}>
          <DropdownMenu.Trigger className="button button--quiet">
            <UserRound size={17} aria-hidden />
            {user.name || user.username}
          </DropdownMenu.Trigger>
          <DropdownMenu.Portal>
            <DropdownMenu.Content className="menu" align="end" sideOffset={6}>
              <DropdownMenu.Label className="menu__label">Signed in as {user.username}</DropdownMenu.Label>
              <DropdownMenu.Item className="menu__item" onSelect={() => navigate("/account")}>
                <KeyRound size={16} aria-hidden />
                Account, groups and tokens
              </DropdownMenu.Item>
              <DropdownMenu.Item className="menu__item" onSelect={() => signOut.mutate()}>
                <LogOut size={16} aria-hidden />
                Sign out
              </DropdownMenu.Item>
            </DropdownMenu.Content>
          </DropdownMenu.Portal>
        </DropdownMenu.Root>
      </header>
      <StaleNote />
      <Outlet />
    </>
  );
}
